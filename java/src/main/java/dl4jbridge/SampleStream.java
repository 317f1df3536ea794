package dl4jbridge;

import dl4jbridge.fused.SampleLayer;
import dl4jbridge.fused.Softmax;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataBuffer;

/**
 * Runs one-hot samples through a network one at a time, with the state in plain arrays.
 *
 * <p>The arithmetic is that of {@code LSTMHelpers.activateHelper}, without the 80 or so ND4J calls a sample of
 * {@code rnnTimeStep}. Each sample is computed on its own, so the output does not depend on how a recording is cut into
 * calls. The stream holds a copy of the parameters as they were when it was made.
 */
public final class SampleStream {
    /** Class of sample value 0, in every codec. */
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

    /** Clears the state. */
    public void reset() {
        for (SampleLayer layer : layers) {
            layer.reset();
        }
        started = false;
    }

    /** Sets the seed of {@link #generate}. */
    public void seed(long seed) {
        // The first numbers of java.util.Random are nearly the same for neighbouring seeds.
        random = new SplittableRandom(seed);
    }

    /**
     * Consumes {@code n} samples and writes the probabilities after each.
     *
     * @param indices        class indices, UBYTE, at least [n]
     * @param probabilities  receives [n, classes], FLOAT, 'c' order
     */
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

    /** Consumes {@code n} class indices (UBYTE) without computing probabilities, to prime the state. */
    public void consume(Tensor indices, int n) {
        DataBuffer in = indices.array().data();
        for (int t = 0; t < n; t++) {
            advance(in.getInt(t) & 0xFF);
        }
    }

    /**
     * Samples {@code n} class indices, each from the distribution after the one before, and consumes them.
     *
     * @param indices      receives [n], UBYTE
     * @param temperature  divides the logits
     * @param topP         probability that the most probable classes, which are kept, together reach; 1 keeps all
     *                     (Holtzman et al., 2020)
     * @param tilt         added to the logits for each class of distance from silence: louder above 0, quieter below
     * @throws IllegalStateException before the first sample is consumed, or if the output is not a number
     */
    public void generate(Tensor indices, int n, double temperature, double topP, double tilt) {
        if (!started) {
            throw new IllegalStateException("no sample consumed yet; wanted at least one to prime the stream");
        }
        DataBuffer out = indices.array().data();
        float[] p = new float[classes];
        for (int t = 0; t < n; t++) {
            softmax(temperature, tilt, p);
            if (Float.isNaN(p[0])) {
                throw new IllegalStateException("the network's output is not a number");
            }
            int sampled = sample(p, topP);
            out.put(t, sampled);
            advance(sampled);
        }
    }

    private int sample(float[] p, double topP) {
        double mass = topP < 1 ? keepMostProbable(p, topP) : 1;
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

    /** Sets all classes to 0 but the most probable ones that together just reach topP; returns their probability. */
    private double keepMostProbable(float[] p, double topP) {
        // All classes below this together are less probable than the share that may be dropped.
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
