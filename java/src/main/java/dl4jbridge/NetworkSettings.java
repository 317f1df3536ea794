package dl4jbridge;

import java.lang.reflect.Field;
import org.nd4j.shade.jackson.annotation.JsonProperty;
import org.nd4j.shade.jackson.core.JsonProcessingException;
import org.nd4j.shade.jackson.databind.JsonNode;
import org.nd4j.shade.jackson.databind.ObjectMapper;

/** What Python says of a network, as one JSON object. No default lives here: every field must be there. */
final class NetworkSettings {
    @JsonProperty("inputs") int inputs;
    @JsonProperty("outputs") int outputs;
    /** "fused" or "stock". */
    @JsonProperty("layer") String layer;
    /** "carried" or "stock": see FusedGravesLSTM.GradientState. Stock layers know "stock" only. */
    @JsonProperty("gradient_state") String gradientState;
    @JsonProperty("layers") int layers;
    @JsonProperty("hidden") int hidden;
    @JsonProperty("tbptt") int tbptt;
    /** "xavier", "one-hot" or "wide": how the weights that do not recur are drawn. */
    @JsonProperty("init") String init;
    @JsonProperty("updater") String updater;
    @JsonProperty("learning_rate") double learningRate;
    @JsonProperty("l2") double l2;
    @JsonProperty("weight_decay") double weightDecay;
    /** Largest L2 norm of one layer's gradient; 0 leaves gradients alone. */
    @JsonProperty("clip") double clip;
    /** Probability that an input of a layer behind the first is dropped. */
    @JsonProperty("dropout") double dropout;
    @JsonProperty("seed") long seed;

    static NetworkSettings parse(String json) {
        ObjectMapper mapper = new ObjectMapper();
        try {
            // Jackson minds "required" in constructors only.
            JsonNode tree = mapper.readTree(json);
            for (Field field : NetworkSettings.class.getDeclaredFields()) {
                JsonProperty property = field.getAnnotation(JsonProperty.class);
                if (property != null && !tree.hasNonNull(property.value())) {
                    throw new IllegalArgumentException("network settings: " + property.value() + " is missing");
                }
            }
            return mapper.treeToValue(tree, NetworkSettings.class);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("network settings: " + e.getOriginalMessage(), e);
        }
    }
}
