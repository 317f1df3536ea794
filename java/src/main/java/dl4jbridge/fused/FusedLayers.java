package dl4jbridge.fused;

import java.util.Iterator;
import java.util.function.UnaryOperator;
import org.deeplearning4j.nn.api.Updater;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.shade.jackson.core.JsonProcessingException;
import org.nd4j.shade.jackson.databind.ObjectMapper;
import org.nd4j.shade.jackson.databind.node.ObjectNode;

/** Stock configurations and networks to fused ones and back. */
@SuppressWarnings("deprecation") // GravesLSTM
public final class FusedLayers {
    private FusedLayers() {}

    /** The same network with fused layers wherever they cover what the stock layer computes. */
    public static MultiLayerConfiguration toFused(
            MultiLayerConfiguration stock, FusedGravesLSTM.GradientState gradientState, PointwiseMath math) {
        return convert(stock, layer -> {
            if (layer.getClass() == GravesLSTM.class && FusedGravesLSTM.covers((GravesLSTM) layer)) {
                FusedGravesLSTM fused = as(layer, FusedGravesLSTM.class);
                fused.setGradientState(gradientState);
                fused.setMath(math);
                return fused;
            }
            if (layer.getClass() == RnnOutputLayer.class && FusedRnnOutput.covers((RnnOutputLayer) layer)) {
                return as(layer, FusedRnnOutput.class);
            }
            return layer;
        });
    }

    /** The same network with DL4J's own layers only. */
    public static MultiLayerConfiguration toStock(MultiLayerConfiguration fused) {
        return convert(fused, layer -> {
            if (layer instanceof FusedGravesLSTM) {
                return as(layer, GravesLSTM.class);
            }
            return layer instanceof FusedRnnOutput ? as(layer, RnnOutputLayer.class) : layer;
        });
    }

    /**
     * A network of another configuration around the same parameters, which are not copied: an update of one network
     * is an update of the other. The state of the updater is.
     *
     * @param configuration with layers of the same sizes, as {@link #toFused} and {@link #toStock} give it
     */
    public static MultiLayerNetwork around(MultiLayerNetwork net, MultiLayerConfiguration configuration) {
        MultiLayerNetwork other = new MultiLayerNetwork(configuration);
        other.init(net.params(), false);
        INDArray state = net.getUpdater().getStateViewArray();
        if (state != null) {
            Updater updater = other.getUpdater();
            updater.setStateViewArray(other, state, false);
        }
        return other;
    }

    private static MultiLayerConfiguration convert(MultiLayerConfiguration from, UnaryOperator<Layer> change) {
        MultiLayerConfiguration to = from.clone();
        for (NeuralNetConfiguration conf : to.getConfs()) {
            conf.setLayer(change.apply(conf.getLayer()));
        }
        return to;
    }

    /** Through DL4J's own JSON, which names every field of a layer whatever class it stands in. */
    private static <T extends Layer> T as(Layer layer, Class<T> type) {
        ObjectMapper mapper = NeuralNetConfiguration.mapper();
        ObjectNode fields = mapper.valueToTree(layer);
        fields.put("@class", type.getName());
        try {
            for (Iterator<String> names = fields.fieldNames(); names.hasNext();) {
                String name = names.next();
                if (type.getName().startsWith("org.deeplearning4j.") && isOurs(name)) {
                    names.remove();
                }
            }
            return type.cast(mapper.treeToValue(fields, Layer.class));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("no " + type.getSimpleName() + " from " + fields, e);
        }
    }

    private static boolean isOurs(String field) {
        return field.equals("gradientState") || field.equals("math");
    }
}
