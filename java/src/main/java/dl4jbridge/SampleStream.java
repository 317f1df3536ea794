package dl4jbridge;

import dl4jbridge.fused.FusedGravesLSTM;
import dl4jbridge.fused.PointwiseMath;
import dl4jbridge.fused.Softmax;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * One-hot samples through a GravesLSTM network, one at a time, with the state carried in plain arrays.
 *
 * <p>The arithmetic is that of {@code LSTMHelpers.activateHelper}; {@code rnnTimeStep} makes about 80 ND4J calls a
 * sample where this makes none. Each sample is computed on its own, so the output cannot depend on how a recording is
 * cut into calls. It holds a copy of the parameters as they were when it was made.
 */
@SuppressWarnings("deprecation") // GravesLSTM
public final class SampleStream {
    private static final PointwiseMath MATH = PointwiseMath.RATIONAL;
    /** The class of sample value 0, in every codec. */
    private static final int SILENCE = 128;
    private final Layer[] layers;
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
        layers = new Layer[recurrent];
        for (int i = 0; i < recurrent; i++) {
            layers[i] = new Layer(net.getLayer(i));
        }
        org.deeplearning4j.nn.api.Layer output = net.getOutputLayer();
        if (!(net.getLayerWiseConfigurations().getConf(recurrent).getLayer()
                instanceof org.deeplearning4j.nn.conf.layers.RnnOutputLayer)
                || !(((org.deeplearning4j.nn.conf.layers.BaseOutputLayer) output.conf().getLayer()).getActivationFn()
                instanceof ActivationSoftmax)) {
            throw new IllegalArgumentException("the last layer is not an RnnOutputLayer with softmax");
        }
        classes = (int) output.getParam("W").size(1);
        outputWeights = rows(output.getParam("W"));
        outputBias = vector(output.getParam("b"));
        logits = new float[classes];
        softmax = new Softmax(classes, 1);
        ranks = new long[classes];
    }

    /** Forgets everything heard so far. */
    public void reset() {
        for (Layer layer : layers) {
            Arrays.fill(layer.h, 0);
            Arrays.fill(layer.c, 0);
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
            layers[i].advanceDense(layers[i - 1].h);
        }
        System.arraycopy(outputBias, 0, logits, 0, classes);
        addProduct(layers[layers.length - 1].h, outputWeights, logits);
        started = true;
    }

    private void softmax(double temperature, double tilt, float[] p) {
        for (int i = 0; i < p.length; i++) {
            p[i] = (float) ((logits[i] + tilt * Math.abs(i - SILENCE)) / temperature);
        }
        softmax.replace(p, 1);
    }

    /** z += x W; four rows a pass, so that z is read and written a quarter as often. */
    private static void addProduct(float[] x, float[][] w, float[] z) {
        int i = 0;
        for (; i + 3 < x.length; i += 4) {
            addFourRows(x[i], w[i], x[i + 1], w[i + 1], x[i + 2], w[i + 2], x[i + 3], w[i + 3], z);
        }
        for (; i < x.length; i++) {
            addFourRows(x[i], w[i], 0, w[i], 0, w[i], 0, w[i], z);
        }
    }

    /** Each row an array of its own: of rows within one array, HotSpot makes no vector instructions. */
    private static void addFourRows(
            float a, float[] u, float b, float[] v, float c, float[] w, float d, float[] x, float[] z) {
        for (int j = 0; j < z.length; j++) {
            z[j] = Math.fma(a, u[j], Math.fma(b, v[j], Math.fma(c, w[j], Math.fma(d, x[j], z[j]))));
        }
    }

    private static float[] vector(INDArray a) {
        return a.dup('c').reshape(-1).toFloatVector();
    }

    private static float[][] rows(INDArray a) {
        return a.dup('c').toFloatMatrix();
    }

    /** Weights and state of one GravesLSTM; columns are [block input, forget, output, input gate]. */
    private static final class Layer {
        final int size;
        final float[][] inputWeights;
        final float[][] recurrentWeights;
        final float[] bias;
        final float[] forgetPeephole;
        final float[] outputPeephole;
        final float[] inputPeephole;
        final float[] h;
        final float[] c;
        final float[] z;
        final float[] block;
        final float[] forget;
        final float[] output;
        final float[] input;

        Layer(org.deeplearning4j.nn.api.Layer layer) {
            if (!(layer.conf().getLayer() instanceof GravesLSTM)
                    || !FusedGravesLSTM.hasTanhAndSigmoid((GravesLSTM) layer.conf().getLayer())) {
                throw new IllegalArgumentException(
                        "layer " + layer.getIndex() + " is not a GravesLSTM with tanh and sigmoid gates");
            }
            INDArray recurrent = layer.getParam("RW");
            size = (int) recurrent.size(0);
            inputWeights = rows(layer.getParam("W"));
            bias = vector(layer.getParam("b"));
            int columns = 4 * size;
            float[][] all = rows(recurrent);
            recurrentWeights = new float[size][];
            forgetPeephole = new float[size];
            outputPeephole = new float[size];
            inputPeephole = new float[size];
            for (int i = 0; i < size; i++) {
                recurrentWeights[i] = Arrays.copyOf(all[i], columns);
                forgetPeephole[i] = all[i][columns];
                outputPeephole[i] = all[i][columns + 1];
                inputPeephole[i] = all[i][columns + 2];
            }
            h = new float[size];
            c = new float[size];
            z = new float[4 * size];
            block = new float[size];
            forget = new float[size];
            output = new float[size];
            input = new float[size];
        }

        void advanceOneHot(int index) {
            float[] row = inputWeights[index];
            for (int j = 0; j < z.length; j++) {
                z[j] = bias[j] + row[j];
            }
            advanceState();
        }

        void advanceDense(float[] x) {
            System.arraycopy(bias, 0, z, 0, z.length);
            addProduct(x, inputWeights, z);
            advanceState();
        }

        private void advanceState() {
            addProduct(h, recurrentWeights, z);
            System.arraycopy(z, 0, block, 0, size);
            System.arraycopy(z, size, forget, 0, size);
            System.arraycopy(z, 2 * size, output, 0, size);
            System.arraycopy(z, 3 * size, input, 0, size);
            MATH.tanh(block, block, size);
            MATH.sigmoid(forget, c, forgetPeephole, forget, size);
            MATH.sigmoid(input, c, inputPeephole, input, size);
            PointwiseMath.cell(forget, c, input, block, c, size);
            MATH.sigmoid(output, c, outputPeephole, output, size);
            MATH.hidden(c, output, h, size);
        }
    }
}
