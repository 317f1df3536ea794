# An image that trains and runs models without a network.
#
#   docker build -t dl4j-bridge .
#   docker run --rm --network none -v "$PWD:/work" -u "$(id -u):$(id -g)" \
#     dl4j-bridge train --input dry.wav --target wet.wav --out runs/mine

FROM eclipse-temurin:17-jdk AS java
WORKDIR /src
COPY mvnw pom.xml ./
COPY .mvn .mvn
COPY java java
RUN ./mvnw -q -B package -DskipTests

FROM python:3.12-slim AS python
WORKDIR /src
COPY pyproject.toml README.md LICENSE THIRD_PARTY.md ./
COPY dl4j_bridge dl4j_bridge
COPY docs/diagnostics.md dl4j_bridge/
COPY --from=java /src/target/dl4j-bridge.jar dl4j_bridge/
RUN python -m venv /opt/dl4j-bridge
RUN /opt/dl4j-bridge/bin/pip install -q --no-cache-dir .
# DL4J's jars, checked against the lock file.
ENV DL4J_BRIDGE_CACHE=/opt/dl4j-bridge/jars
RUN DL4J_BRIDGE_ARCHIVE=0 /opt/dl4j-bridge/bin/dl4j-bridge fetch
# The archive that lets Java start quickly is for jars of these times, and layers keep whole seconds only.
RUN find /opt/dl4j-bridge -name '*.jar' -exec touch -d 2026-01-01 {} + && /opt/dl4j-bridge/bin/dl4j-bridge fetch

FROM python:3.12-slim
COPY --from=python /opt/dl4j-bridge /opt/dl4j-bridge
# The folder is open to any user that `docker run -u` names: caches go there.
RUN useradd --create-home player && mkdir -m 1777 /work && chmod 1777 /home/player
ENV PATH=/opt/dl4j-bridge/bin:$PATH HOME=/home/player
ENV DL4J_BRIDGE_CACHE=/opt/dl4j-bridge/jars DL4J_BRIDGE_OFFLINE=1
USER player
WORKDIR /work
ENTRYPOINT ["dl4j-bridge"]
CMD ["--help"]
