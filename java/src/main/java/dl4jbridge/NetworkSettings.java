package dl4jbridge;

import org.nd4j.shade.jackson.annotation.JsonProperty;
import org.nd4j.shade.jackson.core.JsonProcessingException;
import org.nd4j.shade.jackson.databind.ObjectMapper;

/** What Python says of a network, as one JSON object. No default lives here: every field must be there. */
final class NetworkSettings {
    @JsonProperty(required = true) int inputs;
    @JsonProperty(required = true) int outputs;
    @JsonProperty(required = true) String layer;
    @JsonProperty(required = true) int layers;
    @JsonProperty(required = true) int hidden;
    @JsonProperty(required = true) int tbptt;
    /** "one-hot" or "xavier": how the first layer's input weights are drawn. */
    @JsonProperty(required = true) String init;
    @JsonProperty(required = true) String updater;
    @JsonProperty(value = "learning_rate", required = true) double learningRate;
    @JsonProperty(required = true) double l2;
    @JsonProperty(value = "weight_decay", required = true) double weightDecay;
    /** Largest L2 norm of one layer's gradient; 0 leaves gradients alone. */
    @JsonProperty(required = true) double clip;
    /** Probability that an input of a layer behind the first is dropped. */
    @JsonProperty(required = true) double dropout;
    @JsonProperty(required = true) long seed;

    static NetworkSettings parse(String json) {
        try {
            return new ObjectMapper().readValue(json, NetworkSettings.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("network settings: " + e.getOriginalMessage(), e);
        }
    }
}
