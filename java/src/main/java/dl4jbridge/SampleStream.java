package dl4jbridge;

import dl4jbridge.fused.SampleLayer;
import dl4jbridge.fused.Softmax;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataBuffer;

/**
 * One-hot samples through a GravesLSTM network, one at a time, with the state carried in plain arrays.
 *
 * <p>The arithmetic is that of {@code LSTMHelpers.activateHelper}; {@code rnnTimeStep} makes about 80 ND4J calls a
 * sample where this makes none. Each sample is computed on its own, so the output cannot depend on how a recording is
 * cut into calls. It holds a copy of the parameters as they were when it was made.
 */
public final class SampleStream {
    /** The class of sample value 0, in every codec. */
    private static final int SILENCE = 128;
    private final SampleLayer[] layers;
    private final int classes;
    private final float[][] outputWeights;
    private final float[] outputBias;
    private final float[] logits;
    private final Softmax softmax;
    private final long[] ranks;
    private SplittableRandom random = new SplittableRandom(0);
    private boolean started;

    SampleStream(MultiLayerNetwork net) {
        int recurrent = net.getnLayers() - 1;
        layers = new SampleLayer[recurrent];
        for (int i = 0; i < recurrent; i++) {
            layers[i] = new SampleLayer(net.getLayer(i));
        }
        org.deeplearning4j.nn.api.Layer output = net.getOutputLayer();
        if (!(net.getLayerWiseConfigurations().getConf(recurrent).getLayer()
                instanceof org.deeplearning4j.nn.conf.layers.RnnOutputLayer)
                || !(((org.deeplearning4j.nn.conf.layers.BaseOutputLayer) output.conf().getLayer()).getActivationFn()
                instanceof ActivationSoftmax)) {
            throw new IllegalArgumentException("the last layer is not an RnnOutputLayer with softmax");
        }
        classes = (int) output.getParam("W").size(1);
        outputWeights = SampleLayer.rows(output.getParam("W"));
        outputBias = SampleLayer.vector(output.getParam("b"));
        logits = new float[classes];
        softmax = new Softmax(classes, 1);
        ranks = new long[classes];
    }

    /** Forgets everything heard so far. */
    public void reset() {
        for (SampleLayer layer : layers) {
            layer.reset();
        }
        started = false;
    }

    public void seed(long seed) {
        // java.util.Random would begin neighbouring seeds with nearly the same number.
        random = new SplittableRandom(seed);
    }

    /** Reads {@code n} class indices (UBYTE) and writes as many rows of probabilities (FLOAT, [n, classes], 'c'). */
    public void run(Tensor indices, Tensor probabilities, int n) {
        DataBuffer in = indices.array().data();
        java.nio.FloatBuffer out = probabilities.array().data().asNioFloat();
        float[] row = new float[classes];
        for (int t = 0; t < n; t++) {
            advance(in.getInt(t) & 0xFF);
            softmax(1, 0, row);
            out.put(row);
        }
    }

    /** Hears {@code n} class indices and says nothing: priming. */
    public void listen(Tensor indices, int n) {
        DataBuffer in = indices.array().data();
        for (int t = 0; t < n; t++) {
            advance(in.getInt(t) & 0xFF);
        }
    }

    /**
     * Draws {@code n} samples, each from the distribution that the one before led to, and hears them.
     *
     * @param topP keeps the most probable classes that together reach this probability (Holtzman et al., 2020)
     * @param tilt is added to the logits for each class of distance from silence: louder above 0, quieter below
     */
    public void generate(Tensor indices, int n, double temperature, double topP, double tilt) {
        if (!started) {
            throw new IllegalStateException("nothing heard yet: prime the stream with at least one sample");
        }
        DataBuffer out = indices.array().data();
        float[] p = new float[classes];
        for (int t = 0; t < n; t++) {
            softmax(temperature, tilt, p);
            if (Float.isNaN(p[0])) {
                throw new IllegalStateException("the network's output is not a number");
            }
            int drawn = draw(p, topP);
            out.put(t, drawn);
            advance(drawn);
        }
    }

    private int draw(float[] p, double topP) {
        double mass = topP < 1 ? keepLikeliest(p, topP) : 1;
        double left = random.nextDouble() * mass;
        int last = 0;
        for (int i = 0; i < classes; i++) {
            if (p[i] > 0) {
                last = i;
                left -= p[i];
                if (left < 0) {
                    break;
                }
            }
        }
        return last;
    }

    /** Sets all but the likeliest classes to 0, which together just reach topP. */
    private double keepLikeliest(float[] p, double topP) {
        // Classes below this are all together less likely than what may be left away.
        float least = (float) ((1 - topP) / classes);
        int n = 0;
        for (int i = 0; i < classes; i++) {
            if (p[i] >= least) {
                ranks[n++] = (long) ~Float.floatToRawIntBits(p[i]) << 32 | i;
            } else {
                p[i] = 0;
            }
        }
        Arrays.sort(ranks, 0, n);
        double mass = 0;
        int kept = 0;
        for (; kept < n && (kept == 0 || mass < topP); kept++) {
            mass += p[(int) ranks[kept]];
        }
        for (int i = kept; i < n; i++) {
            p[(int) ranks[i]] = 0;
        }
        return mass;
    }

    private void advance(int index) {
        layers[0].advanceOneHot(index);
        for (int i = 1; i < layers.length; i++) {
            layers[i].advanceDense(layers[i - 1].output());
        }
        System.arraycopy(outputBias, 0, logits, 0, classes);
        SampleLayer.addProduct(layers[layers.length - 1].output(), outputWeights, logits);
        started = true;
    }

    private void softmax(double temperature, double tilt, float[] p) {
        for (int i = 0; i < p.length; i++) {
            p[i] = (float) ((logits[i] + tilt * Math.abs(i - SILENCE)) / temperature);
        }
        softmax.replace(p, 1);
    }
}
