package dl4jbridge.fused;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Collection;
import java.util.function.UnaryOperator;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.api.Updater;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Converts stock configurations and networks to fused ones and back. */
public final class FusedLayers {
    private FusedLayers() {}

    /**
     * The same network with fused layers wherever one covers the stock layer: {@link Cells}, and the output layer. The
     * original is not changed.
     */
    public static MultiLayerConfiguration toFused(
            MultiLayerConfiguration stock, GradientState gradientState, PointwiseMath math) {
        return convert(stock, layer -> {
            Cell cell = Cells.of(layer);
            if (cell != null && layer.getClass() == cell.stock() && Cell.covers((AbstractLSTM) layer)) {
                AbstractLSTM fused = as(layer, cell.fused());
                ((FusedCell) fused).setGradientState(gradientState);
                ((FusedCell) fused).setMath(math);
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
            if (layer instanceof FusedCell) {
                return as(layer, ((FusedCell) layer).cell().stock());
            }
            return layer instanceof FusedRnnOutput ? as(layer, RnnOutputLayer.class) : layer;
        });
    }

    /**
     * A network of another configuration around the same parameters, which are not copied: an update of one network
     * changes the other.
     *
     * @param configuration with layers of the same sizes, as {@link #toFused} and {@link #toStock} return it
     */
    public static MultiLayerNetwork sharing(MultiLayerNetwork net, MultiLayerConfiguration configuration) {
        MultiLayerNetwork other = new MultiLayerNetwork(configuration);
        other.init(net.params(), false);
        return other;
    }

    /** The same as {@link #sharing}, with a copy of the updater's state. */
    public static MultiLayerNetwork around(MultiLayerNetwork net, MultiLayerConfiguration configuration) {
        MultiLayerNetwork other = sharing(net, configuration);
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

    /**
     * The same layer as an object of another class, with a copy of every field that both classes have. (DL4J's JSON does
     * the same, and takes a tenth of a second for the first layer.)
     */
    private static <T extends Layer> T as(Layer layer, Class<T> type) {
        try {
            Constructor<T> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            T other = constructor.newInstance();
            Class<?> shared = sharedParent(layer.getClass(), type);
            for (Class<?> of = shared; of != Object.class; of = of.getSuperclass()) {
                for (Field field : of.getDeclaredFields()) {
                    if (!Modifier.isStatic(field.getModifiers())) {
                        field.setAccessible(true);
                        field.set(other, field.get(layer));
                    }
                }
            }
            return other;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot convert to " + type.getSimpleName() + ": " + layer, e);
        }
    }

    private static Class<?> sharedParent(Class<?> one, Class<?> other) {
        return one.isAssignableFrom(other) ? one : sharedParent(one.getSuperclass(), other);
    }

    /** True if ND4J's arrays are in host memory, which the fused layers address. */
    static boolean onCpu() {
        return Nd4j.getBackend().getClass().getSimpleName().equals("CpuBackend");
    }

    /** Sets up a new layer, as every DL4J configuration does. */
    static <T extends org.deeplearning4j.nn.api.Layer> T assemble(T layer,
            ParamInitializer initializer, NeuralNetConfiguration conf, Collection<TrainingListener> listeners,
            int index, INDArray parameters, boolean initialize) {
        layer.setListeners(listeners);
        layer.setIndex(index);
        layer.setParamsViewArray(parameters);
        layer.setParamTable(initializer.init(conf, parameters, initialize));
        layer.setConf(conf);
        return layer;
    }
}
