package dl4jbridge;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.activations.impl.ActivationTanH;
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
    private final Layer[] layers;
    private final int classes;
    private final float[] outputWeights;
    private final float[] outputBias;
    private final float[] logits;
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
        outputWeights = rowMajor(output.getParam("W"));
        outputBias = rowMajor(output.getParam("b"));
        logits = new float[classes];
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
            softmax(logits, 1.0, row);
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
     */
    public void generate(Tensor indices, int n, double temperature, double topP) {
        if (!started) {
            throw new IllegalStateException("nothing heard yet: prime the stream with at least one sample");
        }
        DataBuffer out = indices.array().data();
        float[] p = new float[classes];
        for (int t = 0; t < n; t++) {
            softmax(logits, temperature, p);
            if (Float.isNaN(p[0])) {
                throw new IllegalStateException("the network's output is not a number");
            }
            int drawn = draw(p, topP);
            out.put(t, drawn);
            advance(drawn);
        }
    }

    private int draw(float[] p, double topP) {
        double mass = 1;
        boolean[] kept = null;
        if (topP < 1) {
            kept = new boolean[classes];
            mass = 0;
            int[] order = IntStream.range(0, classes).boxed()
                    .sorted((a, b) -> Float.compare(p[b], p[a])).mapToInt(Integer::intValue).toArray();
            for (int i = 0; i < classes && (i == 0 || mass < topP); i++) {
                kept[order[i]] = true;
                mass += p[order[i]];
            }
        }
        double left = random.nextDouble() * mass;
        int last = 0;
        for (int i = 0; i < classes; i++) {
            if (p[i] > 0 && (kept == null || kept[i])) {
                last = i;
                left -= p[i];
                if (left < 0) {
                    break;
                }
            }
        }
        return last;
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

    private static void softmax(float[] logits, double temperature, float[] p) {
        float max = Float.NEGATIVE_INFINITY;
        for (float z : logits) {
            max = Math.max(max, z);
        }
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = (float) Math.exp((logits[i] - max) / temperature);
            sum += p[i];
        }
        float scale = (float) (1 / sum);
        for (int i = 0; i < p.length; i++) {
            p[i] *= scale;
        }
    }

    /** z += x W, with W row by row; four rows a pass, so that z is read and written a quarter as often. */
    private static void addProduct(float[] x, float[] w, float[] z) {
        int m = z.length;
        int i = 0;
        for (; i + 3 < x.length; i += 4) {
            addFourRows(x[i], x[i + 1], x[i + 2], x[i + 3], w, i * m, z);
        }
        for (; i < x.length; i++) {
            float a = x[i];
            for (int j = 0, at = i * m; j < m; j++, at++) {
                z[j] += a * w[at];
            }
        }
    }

    private static void addFourRows(float a, float b, float c, float d, float[] w, int at, float[] z) {
        int m = z.length;
        int second = at + m;
        int third = second + m;
        int fourth = third + m;
        for (int j = 0; j < m; j++) {
            z[j] += a * w[at + j] + b * w[second + j] + c * w[third + j] + d * w[fourth + j];
        }
    }

    private static float[] rowMajor(INDArray a) {
        return a.dup('c').reshape(-1).toFloatVector();
    }

    /** Weights and state of one GravesLSTM; columns are [block input, forget, output, input gate]. */
    private static final class Layer {
        final int size;
        final float[] inputWeights;
        final float[] recurrentWeights;
        final float[] bias;
        final float[] forgetPeephole;
        final float[] outputPeephole;
        final float[] inputPeephole;
        final float[] h;
        final float[] c;
        final float[] z;

        Layer(org.deeplearning4j.nn.api.Layer layer) {
            if (!isOurs(layer.conf().getLayer())) {
                throw new IllegalArgumentException(
                        "layer " + layer.getIndex() + " is not a GravesLSTM with tanh and sigmoid gates");
            }
            INDArray recurrent = layer.getParam("RW");
            size = (int) recurrent.size(0);
            inputWeights = rowMajor(layer.getParam("W"));
            bias = rowMajor(layer.getParam("b"));
            recurrentWeights = new float[size * 4 * size];
            float[] all = rowMajor(recurrent);
            forgetPeephole = new float[size];
            outputPeephole = new float[size];
            inputPeephole = new float[size];
            int row = 4 * size + 3;
            for (int i = 0; i < size; i++) {
                System.arraycopy(all, i * row, recurrentWeights, i * 4 * size, 4 * size);
                forgetPeephole[i] = all[i * row + 4 * size];
                outputPeephole[i] = all[i * row + 4 * size + 1];
                inputPeephole[i] = all[i * row + 4 * size + 2];
            }
            h = new float[size];
            c = new float[size];
            z = new float[4 * size];
        }

        private static boolean isOurs(org.deeplearning4j.nn.conf.layers.Layer conf) {
            if (!(conf instanceof GravesLSTM)) {
                return false;
            }
            GravesLSTM lstm = (GravesLSTM) conf;
            return lstm.getActivationFn() instanceof ActivationTanH
                    && lstm.getGateActivationFn() instanceof ActivationSigmoid;
        }

        void advanceOneHot(int index) {
            int at = index * z.length;
            for (int j = 0; j < z.length; j++) {
                z[j] = bias[j] + inputWeights[at + j];
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
            for (int i = 0; i < size; i++) {
                double blockInput = Math.tanh(z[i]);
                double forget = sigmoid(z[size + i] + c[i] * forgetPeephole[i]);
                double input = sigmoid(z[3 * size + i] + c[i] * inputPeephole[i]);
                c[i] = (float) (forget * c[i] + input * blockInput);
                h[i] = (float) (sigmoid(z[2 * size + i] + c[i] * outputPeephole[i]) * Math.tanh(c[i]));
            }
        }

        private static double sigmoid(double x) {
            return 1 / (1 + Math.exp(-x));
        }
    }
}
