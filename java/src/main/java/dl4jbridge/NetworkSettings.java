package dl4jbridge;

import java.io.IOException;
import java.io.StringReader;
import java.lang.reflect.Field;
import java.util.Locale;
import java.util.Properties;

/** A network as Python describes it. Python owns the defaults, so every field but {@link #cell} must be given. */
final class NetworkSettings {
    int inputs;
    int outputs;
    /** "one-hot" or "dense". */
    String input;
    /** "softmax" with cross-entropy, or "linear" or "sigmoid" with mean squared error. */
    String output;
    /** "fused" or "stock". */
    String layer;
    /** Name of one of {@link dl4jbridge.fused.Cells}: "graves" or "lstm". Settings without it mean "graves". */
    String cell = "graves";
    /** "carried" or "stock": see {@link dl4jbridge.fused.GradientState}. Stock layers ignore it. */
    String gradientState;
    int layers;
    int hidden;
    int tbptt;
    /** "xavier", "one-hot" or "wide": distribution of the initial weights that are not recurrent. */
    String init;
    String updater;
    double learningRate;
    double l2;
    double weightDecay;
    /** Largest L2 norm of one layer's gradient; 0 for no clipping. */
    double clip;
    /** Probability that an input of a layer above the first is dropped. */
    double dropout;
    /** Decay of {@link dl4jbridge.fused.NeighbourSharing}; 0 for none. Fused layers with Adam only. */
    double neighbours;
    /** Weight of the penalty on large memory cells; 0 for none. Fused layers only. */
    double cellPenalty;
    long seed;

    /**
     * Reads "name=value" lines; a name is the field's, with_underscores. Parsing JSON would take a tenth of the start.
     *
     * @throws IllegalArgumentException for a missing, unknown or malformed setting
     */
    static NetworkSettings parse(String lines) {
        Properties given = new Properties();
        NetworkSettings settings = new NetworkSettings();
        try {
            given.load(new StringReader(lines));
            for (Field field : NetworkSettings.class.getDeclaredFields()) {
                String name = field.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
                String value = (String) given.remove(name);
                if (value == null && field.get(settings) instanceof String) {
                    continue;
                }
                if (value == null) {
                    throw new IllegalArgumentException("network settings: " + name + " is missing");
                }
                field.set(settings, valueOf(value, field.getType()));
            }
        } catch (IOException | IllegalAccessException | NumberFormatException e) {
            throw new IllegalArgumentException("network settings: " + e.getMessage(), e);
        }
        if (!given.isEmpty()) {
            throw new IllegalArgumentException("network settings: unknown " + given.keySet());
        }
        return settings;
    }

    private static Object valueOf(String value, Class<?> type) {
        if (type == int.class) {
            return Integer.valueOf(value);
        }
        if (type == long.class) {
            return Long.valueOf(value);
        }
        return type == double.class ? Double.valueOf(value) : value;
    }
}
