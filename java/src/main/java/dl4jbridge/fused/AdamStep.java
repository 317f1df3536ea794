package dl4jbridge.fused;

import java.nio.FloatBuffer;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.updater.BaseMultiLayerUpdater;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;

/**
 * Updates all parameters by Adam (Kingma and Ba, 2015), including the division by the batch and the clipping of each
 * layer's gradient: in two passes over memory, of which DL4J's updater needs a dozen.
 */
public final class AdamStep {
    private static final int CHUNK = 2048;

    private final MultiLayerNetwork net;
    private final Adam adam;
    private final Memory parameters;
    private final Memory gradient;
    private final Memory state; // first moments of all parameters, then second moments
    private final long[] layerEnds;
    private final double[] thresholds; // infinite without clipping

    private AdamStep(MultiLayerNetwork net, Adam adam) {
        this.net = net;
        this.adam = adam;
        parameters = Memory.of(net.params());
        gradient = Memory.of(net.getFlattenedGradients());
        state = Memory.of(net.getUpdater().getStateViewArray());
        layerEnds = new long[net.getnLayers()];
        thresholds = new double[net.getnLayers()];
        long end = 0;
        for (int i = 0; i < layerEnds.length; i++) {
            end += net.getLayer(i).numParams();
            layerEnds[i] = end;
            BaseLayer conf = (BaseLayer) net.getLayer(i).conf().getLayer();
            thresholds[i] = conf.getGradientNormalization() == GradientNormalization.ClipL2PerLayer
                    ? conf.getGradientNormalizationThreshold() : Double.POSITIVE_INFINITY;
        }
    }

    /** The Adam of this network, or null if its updater does anything else, such as L2 or a schedule. */
    public static AdamStep of(MultiLayerNetwork net) {
        IUpdater updater = FusedLayers.onCpu() ? commonUpdater(net) : null;
        if (!(updater instanceof Adam) || ((Adam) updater).getLearningRateSchedule() != null) {
            return null;
        }
        if (((BaseMultiLayerUpdater<?>) net.getUpdater()).getUpdaterBlocks().size() != 1) {
            return null;
        }
        return new AdamStep(net, (Adam) updater);
    }

    private static IUpdater commonUpdater(MultiLayerNetwork net) {
        IUpdater common = null;
        for (Layer layer : net.getLayers()) {
            if (!layer.conf().isMiniBatch() || !(layer.conf().getLayer() instanceof BaseLayer)) {
                return null;
            }
            BaseLayer conf = (BaseLayer) layer.conf().getLayer();
            if (!isPlain(conf)) {
                return null;
            }
            for (String name : layer.paramTable().keySet()) {
                IUpdater updater = conf.getUpdaterByParam(name);
                if (common != null && !common.equals(updater)) {
                    return null;
                }
                common = updater;
            }
        }
        return common;
    }

    /** True for a layer whose gradient is not changed except by clipping. */
    private static boolean isPlain(BaseLayer conf) {
        GradientNormalization normalization = conf.getGradientNormalization();
        return conf.getRegularization().isEmpty() && conf.getRegularizationBias().isEmpty()
                && (conf.getConstraints() == null || conf.getConstraints().isEmpty())
                && (normalization == null || normalization == GradientNormalization.None
                || normalization == GradientNormalization.ClipL2PerLayer);
    }

    /**
     * Sets the learning rate in the configurations of all layers, one of which the next update reads. Unlike {@code
     * MultiLayerNetwork.setLearningRate}, it leaves the updater alone, and so costs nothing at each step.
     */
    public void setLearningRate(double rate) {
        for (Layer layer : net.getLayers()) {
            for (String name : layer.paramTable().keySet()) {
                ((BaseLayer) layer.conf().getLayer()).getUpdaterByParam(name).setLrAndSchedule(rate, null);
            }
        }
    }

    /**
     * Updates the parameters from the network's gradient.
     *
     * @param batch      number of examples that the gradient is summed over
     * @param iteration  number of earlier updates
     * @param squares    sum of the squares of each layer's gradient
     */
    public void update(int batch, int iteration, double[] squares) {
        double[] factors = factors(batch, squares);
        int t = iteration + 1;
        float rate = (float) (adam.getLearningRate() * Math.sqrt(1 - Math.pow(adam.getBeta2(), t))
                / (1 - Math.pow(adam.getBeta1(), t)));
        long all = parameters.length();
        int tasks = 2 * Workers.threads();
        Workers.run(tasks, task -> {
            Slice slice = new Slice();
            int layer = 0;
            long end = (task + 1) * all / tasks;
            for (long at = task * all / tasks; at < end;) {
                while (at >= layerEnds[layer]) {
                    layer++;
                }
                int n = (int) Math.min(CHUNK, Math.min(end, layerEnds[layer]) - at);
                slice.update(at, n, (float) factors[layer], rate);
                at += n;
            }
        });
        parameters.keep();
        gradient.keep();
        state.keep();
    }

    /** The factor of each layer's gradient: for the batch, and for the clipping. */
    private double[] factors(int batch, double[] squares) {
        double[] factors = new double[layerEnds.length];
        for (int layer = 0; layer < factors.length; layer++) {
            double norm = Math.sqrt(squares[layer]) / batch;
            factors[layer] = (norm > thresholds[layer] ? thresholds[layer] / norm : 1) / batch;
        }
        return factors;
    }

    /** Sum of the squares of each layer's gradient; 0 for a layer that is not clipped. */
    public double[] squares() {
        double[] squares = new double[layerEnds.length];
        Workers.run(layerEnds.length, layer -> {
            if (thresholds[layer] == Double.POSITIVE_INFINITY) {
                return;
            }
            long from = layer == 0 ? 0 : layerEnds[layer - 1];
            SquareSum sum = new SquareSum(CHUNK);
            float[] values = new float[CHUNK];
            FloatBuffer view = gradient.view();
            for (long at = from; at < layerEnds[layer]; at += CHUNK) {
                int n = (int) Math.min(CHUNK, layerEnds[layer] - at);
                Memory.get(view, at, values, n);
                sum.add(values, n);
            }
            squares[layer] = sum.total();
        });
        gradient.keep();
        return squares;
    }

    /** A few thousand parameters on the heap. */
    private final class Slice {
        final float[] p = new float[CHUNK];
        final float[] g = new float[CHUNK];
        final float[] m = new float[CHUNK];
        final float[] v = new float[CHUNK];
        final FloatBuffer parameterView = parameters.view();
        final FloatBuffer gradientView = gradient.view();
        final FloatBuffer stateView = state.view();

        void update(long at, int n, float factor, float rate) {
            long second = parameters.length() + at;
            Memory.get(parameterView, at, p, n);
            Memory.get(gradientView, at, g, n);
            Memory.get(stateView, at, m, n);
            Memory.get(stateView, second, v, n);
            adam(p, g, m, v, n, factor, rate, (float) adam.getBeta1(), (float) adam.getBeta2(),
                    (float) adam.getEpsilon());
            Memory.put(parameterView, at, p, n);
            Memory.put(stateView, at, m, n);
            Memory.put(stateView, second, v, n);
        }
    }

    private static void adam(float[] p, float[] g, float[] m, float[] v, int n,
            float factor, float rate, float beta1, float beta2, float epsilon) {
        for (int i = 0; i < n; i++) {
            float x = g[i] * factor;
            float first = beta1 * m[i] + (1 - beta1) * x;
            float second = beta2 * v[i] + (1 - beta2) * x * x;
            m[i] = first;
            v[i] = second;
            p[i] -= rate * first / ((float) Math.sqrt(second) + epsilon);
        }
    }
}
