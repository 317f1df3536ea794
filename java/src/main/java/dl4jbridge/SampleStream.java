package dl4jbridge;

import dl4jbridge.fused.SampleNetwork;
import dl4jbridge.fused.Softmax;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataBuffer;

/**
 * Runs one-hot samples of one recording through a network, with the state in plain arrays.
 *
 * <p>The arithmetic is that of {@code LSTMHelpers.activateHelper}, without the 80 or so ND4J calls a sample of
 * {@code rnnTimeStep}. The output does not depend on how a recording is cut into calls ({@link SampleNetwork}). The stream
 * holds a copy of the parameters as they were when it was made.
 */
public final class SampleStream {
    /** Class of sample value 0, in every codec. */
    private static final int SILENCE = 128;
    private final SampleNetwork network;
    private final int classes;
    private final FloatView rows = new FloatView();
    private final Softmax softmax;
    private final long[] ranks;
    private final SampleNetwork.Source inputs = this::begin;
    private final SampleNetwork.Sink rowsOut = this::putRows;
    private final SampleNetwork.Sink meansOut = this::putMeans;
    private DataBuffer indices; // of the present call
    private double[] values;
    private double[] means = new double[0];
    private final float[] last;
    private int samples; // of the present call
    private float[] logits; // of the last sample; null before the first
    private SplittableRandom random = new SplittableRandom(0);

    SampleStream(MultiLayerNetwork net) {
        network = new SampleNetwork(net);
        if (!(network.activation() instanceof ActivationSoftmax)) {
            throw new IllegalArgumentException("the output is not softmax but " + network.activation());
        }
        classes = network.outputs();
        softmax = new Softmax(classes, 1);
        ranks = new long[classes];
        last = new float[classes];
    }

    /** Clears the state. */
    public void reset() {
        network.reset();
        logits = null;
    }

    /** Sets the seed of {@link #generate}. */
    public void seed(long seed) {
        // The first numbers of java.util.Random are nearly the same for neighbouring seeds.
        random = new SplittableRandom(seed);
    }

    /**
     * Consumes {@code n} samples and writes the probabilities after each. Allocates nothing if the tensors are those of the
     * last call.
     *
     * @param indices        class indices, UBYTE, at least [n]
     * @param probabilities  receives [n, classes], FLOAT, 'c' order
     */
    public void run(Tensor indices, Tensor probabilities, int n) {
        rows.of(probabilities);
        run(indices, n, rowsOut);
    }

    /**
     * Consumes {@code n} samples and writes the mean of the distribution after each.
     *
     * @param indices  class indices, UBYTE, at least [n]
     * @param values   the value of each class, DOUBLE, [classes]
     * @param means    receives [n], DOUBLE
     */
    public void means(Tensor indices, Tensor values, Tensor means, int n) {
        if (this.means.length < n) {
            this.means = new double[n];
        }
        this.values = values.array().data().asDouble();
        run(indices, n, meansOut);
        means.array().data().asNioDouble().put(this.means, 0, n);
    }

    /** Consumes {@code n} class indices (UBYTE) without computing probabilities, to prime the state. */
    public void consume(Tensor indices, int n) {
        if (n > 0) {
            run(indices, n - 1, null);
            logits = network.advanceOneHot(indices.array().data().getInt(n - 1) & 0xFF);
        }
    }

    private void run(Tensor indices, int n, SampleNetwork.Sink sink) {
        this.indices = indices.array().data();
        samples = n;
        network.run(n, inputs, sink);
    }

    private void begin(int from, float[][] sums, int count) {
        for (int t = 0; t < count; t++) {
            network.beginOneHot(indices.getInt(from + t) & 0xFF, sums[t]);
        }
    }

    /** Keeps the last logits of a call, for {@link #generate}. */
    private void keepLast(int from, float[][] sums, int count) {
        if (from + count == samples) {
            System.arraycopy(sums[count - 1], 0, last, 0, classes);
            logits = last;
        }
    }

    private void putRows(int from, float[][] sums, int count) {
        keepLast(from, sums, count);
        FloatBuffer out = rows.at(from * classes);
        for (int t = 0; t < count; t++) {
            softmax.replace(sums[t], 1);
            out.put(sums[t]);
        }
    }

    private void putMeans(int from, float[][] sums, int count) {
        keepLast(from, sums, count);
        for (int t = 0; t < count; t++) {
            softmax.replace(sums[t], 1);
            means[from + t] = mean(sums[t], values);
        }
    }

    /** In four chains, since one would wait for each addition. */
    private static double mean(float[] p, double[] values) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i + 3 < values.length; i += 4) {
            a += p[i] * values[i];
            b += p[i + 1] * values[i + 1];
            c += p[i + 2] * values[i + 2];
            d += p[i + 3] * values[i + 3];
        }
        for (; i < values.length; i++) {
            a += p[i] * values[i];
        }
        return a + b + (c + d);
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
        if (logits == null) {
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
            logits = network.advanceOneHot(sampled);
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

    private void softmax(double temperature, double tilt, float[] p) {
        for (int i = 0; i < p.length; i++) {
            p[i] = (float) ((logits[i] + tilt * Math.abs(i - SILENCE)) / temperature);
        }
        softmax.replace(p, 1);
    }
}
