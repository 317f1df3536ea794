package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import dl4jbridge.Fixtures;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.deeplearning4j.nn.api.layers.RecurrentLayer;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/** A stock network and its fused twin with the same parameters, each in its own arrays; and comparisons for tests. */
final class Twins {
    private static final String[] GATES = {"block input", "forget", "output", "input"};
    private static final String[] PEEPHOLES = {"forget", "output", "input"};

    final MultiLayerNetwork stock;
    final MultiLayerNetwork fused;

    Twins(MultiLayerConfiguration configuration, GradientState gradientState, PointwiseMath math) {
        stock = network(configuration);
        fused = new MultiLayerNetwork(FusedLayers.toFused(configuration, gradientState, math));
        fused.init(stock.params().dup(), false);
    }

    /** What parity is about: stock's gradient and exact activations. */
    static Twins exact(MultiLayerConfiguration configuration) {
        return new Twins(configuration, GradientState.STOCK, PointwiseMath.EXACT);
    }

    MultiLayerNetwork[] both() {
        return new MultiLayerNetwork[] {stock, fused};
    }

    /** Sizes of a network and of a segment of its input. */
    static final class Sizes {
        final int batch;
        final int steps;
        final int inputs;
        final int hidden;
        final int outputs;
        final int layers;

        Sizes(int batch, int steps, int inputs, int hidden, int outputs, int layers) {
            this.batch = batch;
            this.steps = steps;
            this.inputs = inputs;
            this.hidden = hidden;
            this.outputs = outputs;
            this.layers = layers;
        }

        @Override
        public String toString() {
            return layers + " x " + hidden + ", " + inputs + " in, " + outputs + " out, batch " + batch + ", "
                    + steps + " steps";
        }

        MultiLayerConfiguration configuration() {
            return configuration(new Sgd(0.1));
        }

        MultiLayerConfiguration configuration(IUpdater updater) {
            return configuration(builder -> builder.updater(updater));
        }

        MultiLayerConfiguration configuration(Consumer<NeuralNetConfiguration.Builder> more) {
            return configuration(more, LossFunctions.LossFunction.MCXENT, Activation.SOFTMAX);
        }

        MultiLayerConfiguration configuration(LossFunctions.LossFunction loss, Activation activation) {
            return configuration(builder -> { }, loss, activation);
        }

        private MultiLayerConfiguration configuration(Consumer<NeuralNetConfiguration.Builder> more,
                LossFunctions.LossFunction loss, Activation activation) {
            NeuralNetConfiguration.Builder global = new NeuralNetConfiguration.Builder().seed(7).updater(new Sgd(0.1));
            more.accept(global);
            NeuralNetConfiguration.ListBuilder list = global.list();
            for (int i = 0; i < layers; i++) {
                AbstractLSTM.Builder<?> builder = Fixtures.cell.builder();
                builder.activation(Activation.TANH).nIn(i == 0 ? inputs : hidden).nOut(hidden);
                AbstractLSTM layer = builder.build();
                layer.setRnnDataFormat(RNNFormat.NCW);
                list.layer(layer);
            }
            list.layer(new RnnOutputLayer.Builder(loss).activation(activation)
                    .dataFormat(RNNFormat.NCW).nIn(hidden).nOut(outputs).build());
            return list.backpropType(BackpropType.TruncatedBPTT).tBPTTLength(steps).build();
        }

        INDArray oneHotInput(long seed) {
            return oneHot(seed, batch, inputs, steps);
        }

        INDArray denseInput(long seed) {
            return gaussian(seed, batch, inputs, steps).muli(0.5);
        }

        INDArray labels(long seed) {
            return oneHot(~seed, batch, outputs, steps);
        }
    }

    /** Initialized by DL4J, then perturbed, so that no bias and no peephole is zero. */
    static MultiLayerNetwork network(MultiLayerConfiguration configuration) {
        MultiLayerNetwork net = new MultiLayerNetwork(configuration.clone());
        net.init();
        net.params().addi(gaussian(99, net.params().shape()).muli(0.1));
        return net;
    }

    /** The same network, computed by stock layers in double precision. */
    static MultiLayerNetwork inDoublePrecision(MultiLayerConfiguration configuration) {
        MultiLayerConfiguration precise = configuration.clone();
        precise.setDataType(DataType.DOUBLE);
        MultiLayerNetwork net = new MultiLayerNetwork(precise);
        net.init(network(configuration).params().castTo(DataType.DOUBLE), false);
        return net;
    }

    static INDArray gaussian(long seed, long... shape) {
        INDArray a = Nd4j.create(DataType.FLOAT, shape, 'f');
        Random random = new Random(seed);
        for (long i = 0; i < a.length(); i++) {
            a.putScalar(i, random.nextGaussian());
        }
        return a;
    }

    static INDArray oneHot(long seed, int batch, int classes, int steps) {
        INDArray a = Nd4j.create(DataType.FLOAT, new long[] {batch, classes, steps}, 'f');
        Random random = new Random(seed);
        for (int row = 0; row < batch; row++) {
            for (int t = 0; t < steps; t++) {
                a.putScalar(new int[] {row, random.nextInt(classes), t}, 1);
            }
        }
        return a;
    }

    static INDArray steps(INDArray a, int from, int to) {
        return a.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(from, to));
    }

    static float[] values(INDArray a) {
        return a.dup('f').data().asFloat();
    }

    static float[] parameters(MultiLayerNetwork net) {
        return values(net.params());
    }

    /** Loss and gradient of one segment from the state that the one before left, and the state for the next. */
    static float[] gradient(MultiLayerNetwork net, INDArray features, INDArray labels) {
        net.setInput(features);
        net.setLabels(labels);
        net.computeGradientAndScore();
        net.updateRnnStateWithTBPTTState();
        return values(net.getFlattenedGradients());
    }

    /** The same of a network that has seen nothing else. */
    static float[] freshGradient(MultiLayerNetwork net, INDArray features, INDArray labels) {
        return gradient(net.clone(), features, labels);
    }

    /** A vector of all parameters or gradients in named pieces: each gate of each weight, each peephole column. */
    static Map<String, float[]> blocks(MultiLayerNetwork net, float[] flat) {
        Map<String, float[]> blocks = new LinkedHashMap<>();
        int at = 0;
        for (int i = 0; i < net.getnLayers(); i++) {
            Map<String, INDArray> table = net.getLayer(i).paramTable();
            for (Map.Entry<String, INDArray> e : table.entrySet()) {
                String name = i + " " + e.getKey();
                int length = (int) e.getValue().length();
                if (!table.containsKey("RW")) {
                    at = cut(blocks, flat, at, length, name);
                    continue;
                }
                int size = (int) table.get("RW").size(0);
                int gate = e.getKey().equals("RW") ? size * size : length / 4;
                for (String g : GATES) {
                    at = cut(blocks, flat, at, gate, name + " " + g);
                }
                boolean peepholes = e.getKey().equals("RW") && Fixtures.cell.hasPeepholes();
                for (String p : peepholes ? PEEPHOLES : new String[0]) {
                    at = cut(blocks, flat, at, size, name + " peephole " + p);
                }
            }
        }
        assertEquals(flat.length, at);
        return blocks;
    }

    private static int cut(Map<String, float[]> blocks, float[] flat, int at, int length, String name) {
        float[] block = new float[length];
        System.arraycopy(flat, at, block, 0, length);
        blocks.put(name, block);
        return at + length;
    }

    /** Each block by itself, to a share of its own largest number, but for numbers below 1. */
    static void assertBlocksClose(MultiLayerNetwork net, float[] expected, float[] actual, double share, String what) {
        Map<String, float[]> wanted = blocks(net, expected);
        Map<String, float[]> found = blocks(net, actual);
        for (String name : wanted.keySet()) {
            double tolerance = share * Math.max(1, largest(wanted.get(name)));
            assertClose(wanted.get(name), found.get(name), tolerance, what + ", " + name);
        }
    }

    static double largest(float[] values) {
        double largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest;
    }

    static double furthest(float[] a, float[] b) {
        double furthest = 0;
        for (int i = 0; i < a.length; i++) {
            furthest = Math.max(furthest, Math.abs((double) a[i] - b[i]));
        }
        return furthest;
    }

    /** NaN where NaN is expected and nowhere else. */
    static void assertClose(float[] expected, float[] actual, double tolerance, String what) {
        assertEquals(expected.length, actual.length, what);
        for (int i = 0; i < expected.length; i++) {
            boolean same = Float.isNaN(expected[i]) ? Float.isNaN(actual[i])
                    : Math.abs((double) expected[i] - actual[i]) <= tolerance;
            if (!same) {
                fail(what + ": " + actual[i] + " at " + i + ", not " + expected[i] + ": off by "
                        + (actual[i] - expected[i]) + ", allowed are " + tolerance);
            }
        }
    }

    static void assertClose(INDArray expected, INDArray actual, double tolerance, String what) {
        assertArrayEquals(expected.shape(), actual.shape(), what);
        assertClose(values(expected), values(actual), tolerance, what);
    }

    /** To a share of the largest number, but for numbers below 1. */
    static void assertStatesClose(MultiLayerNetwork expected, MultiLayerNetwork actual, double tolerance, String what) {
        for (int i = 0; i < expected.getnLayers(); i++) {
            if (expected.getLayer(i) instanceof RecurrentLayer) {
                Map<String, INDArray> wanted = expected.rnnGetPreviousState(i);
                Map<String, INDArray> found = actual.rnnGetPreviousState(i);
                assertEquals(new TreeSet<>(wanted.keySet()), new TreeSet<>(found.keySet()), what);
                for (String key : wanted.keySet()) {
                    double share = tolerance * Math.max(1, largest(values(wanted.get(key))));
                    assertClose(wanted.get(key), found.get(key), share, what + ", " + i + " " + key);
                }
            }
        }
    }
}
