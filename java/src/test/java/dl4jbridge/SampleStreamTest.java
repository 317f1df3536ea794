package dl4jbridge;

import static dl4jbridge.Fixtures.CLASSES;
import static dl4jbridge.Fixtures.HIDDEN;
import static dl4jbridge.Fixtures.network;
import static dl4jbridge.Fixtures.oneHot;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.Fixtures.Feeder;
import dl4jbridge.fused.Workers;
import java.util.Arrays;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;
import java.util.stream.Stream;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.SimpleRnn;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.lossfunctions.LossFunctions;

class SampleStreamTest {
    private static Network trained;

    @BeforeAll
    static void train() {
        trained = network("learning_rate", 0.03);
        new Feeder().steps(trained, 0, 100);
    }

    private static int[] random(long seed, int n, int classes) {
        return new Random(seed).ints(n, 0, classes).toArray();
    }

    private static int[] join(int[] a, int... b) {
        int[] joined = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, joined, a.length, b.length);
        return joined;
    }

    private static Tensor bytes(int... indices) {
        Tensor tensor = Tensor.zeros("UBYTE", "c", new long[] {indices.length});
        for (int i = 0; i < indices.length; i++) {
            tensor.array().putScalar(i, indices[i]);
        }
        return tensor;
    }

    private static float[][] rows(SampleStream stream, int classes, int[] indices) {
        Tensor probabilities = Tensor.zeros("FLOAT", "c", new long[] {indices.length, classes});
        stream.run(bytes(indices), probabilities, indices.length);
        return probabilities.array().toFloatMatrix();
    }

    private static float[][] run(SampleStream stream, int... indices) {
        return rows(stream, CLASSES, indices);
    }

    private static int[] generate(SampleStream stream, int n, double temperature, double topP) {
        Tensor generated = Tensor.zeros("UBYTE", "c", new long[] {n});
        stream.generate(generated, n, temperature, topP, 0);
        return generated.array().toIntVector();
    }

    private static void consume(SampleStream stream, int... indices) {
        stream.consume(bytes(indices), indices.length);
    }

    private static SampleStream primed() {
        SampleStream stream = trained.stream();
        consume(stream, 1, 7, 3);
        return stream;
    }

    private static int argMax(float[] p) {
        int best = 0;
        for (int i = 1; i < p.length; i++) {
            if (p[i] > p[best]) {
                best = i;
            }
        }
        return best;
    }

    private static void assertMatchesTimeSteps(Network network, int classes, int[] inputs) {
        float[][] rows = rows(network.stream(), classes, inputs);
        MultiLayerNetwork net = network.dl4j();
        net.rnnClearPreviousState();
        for (int t = 0; t < inputs.length; t++) {
            INDArray expected = net.rnnTimeStep(oneHot(new int[][] {{inputs[t]}}, classes));
            assertArrayEquals(expected.dup('c').data().asFloat(), rows[t], 1e-5f, "sample " + t);
        }
    }

    @Test
    void givesWhatTimeStepsGiveOverALongCarriedState() {
        int[] inputs = random(1, 2000, CLASSES);
        assertMatchesTimeSteps(trained, CLASSES, inputs);
        float[][] rows = run(trained.stream(), inputs);
        long confident = Arrays.stream(rows).filter(p -> p[argMax(p)] > 0.5).count();
        assertTrue(confident > 200, "only " + confident + " rows are far from uniform");
    }

    @ParameterizedTest
    @CsvSource({"1, 10, one-hot", "2, 11, xavier", "3, 9, one-hot"}) // sizes that are not multiples of four
    void givesWhatTimeStepsGiveForAllBytes(int layers, int hidden, String init) {
        Network network = network("inputs", 256, "outputs", 256, "layers", layers, "hidden", hidden, "init", init);
        // Large weights of every kind, the peepholes too.
        network.dl4j().params().muli(3);
        assertMatchesTimeSteps(network, 256, random(2, 300, 256));
    }

    @Test
    void writesNoMoreRowsThanAskedFor() {
        Tensor probabilities = Tensor.zeros("FLOAT", "c", new long[] {3, CLASSES});
        probabilities.array().assign(-1);
        trained.stream().run(bytes(4, 5, 6), probabilities, 2);
        assertArrayEquals(run(trained.stream(), 4, 5), Arrays.copyOf(probabilities.array().toFloatMatrix(), 2));
        assertEquals(-CLASSES, probabilities.array().getRow(2).sumNumber().doubleValue());
    }

    /** Sizes with blocks and sums of several lengths; a call of 1,500 samples has 6 to 24 blocks. */
    @ParameterizedTest
    @CsvSource({"1, 12, 1", "2, 41, 1", "2, 41, 2", "3, 8, 3", "1, 201, 2"})
    void neitherACutNorThreadsChangeABit(int layers, int hidden, int threads) {
        int[] inputs = random(3, 1500, CLASSES);
        Network network = network("layers", layers, "hidden", hidden);
        network.dl4j().params().muli(3);
        float[][] whole;
        Workers.setThreads(threads);
        try {
            whole = run(network.stream(), inputs);
        } finally {
            Workers.setThreads(1);
        }
        SampleStream stream = network.stream();
        for (int from = 0, length = 1; from < inputs.length; from += length, length = length * 3 / 2 + 1) {
            int to = Math.min(from + length, inputs.length);
            assertArrayEquals(Arrays.copyOfRange(whole, from, to), run(stream, Arrays.copyOfRange(inputs, from, to)));
        }
        stream.reset();
        for (int t = 0; t < 300; t++) {
            assertArrayEquals(whole[t], run(stream, inputs[t])[0], "sample " + t);
        }
    }

    @Test
    void meansAreThoseOfTheDistributions() {
        int[] inputs = random(5, 300, CLASSES);
        double[] values = new Random(6).doubles(CLASSES, -1, 1).toArray();
        Tensor given = Tensor.zeros("DOUBLE", "c", new long[] {CLASSES});
        for (int i = 0; i < CLASSES; i++) {
            given.array().putScalar(i, values[i]);
        }
        Tensor means = Tensor.zeros("DOUBLE", "c", new long[] {inputs.length + 1});
        trained.stream().means(bytes(inputs), given, means, inputs.length);
        float[][] rows = run(trained.stream(), inputs);
        for (int t = 0; t < inputs.length; t++) {
            double expected = 0;
            for (int i = 0; i < CLASSES; i++) {
                expected += rows[t][i] * values[i];
            }
            assertEquals(expected, means.array().getDouble(t), 1e-12, "sample " + t);
        }
        assertEquals(0, means.array().getDouble(inputs.length), "wrote more than asked for");
    }

    @Test
    void consumingLeavesTheStateThatRunningLeaves() {
        int[] inputs = random(4, 60, CLASSES);
        float[][] whole = run(trained.stream(), inputs);
        SampleStream stream = trained.stream();
        consume(stream, Arrays.copyOf(inputs, 40));
        assertArrayEquals(Arrays.copyOfRange(whole, 40, 60), run(stream, Arrays.copyOfRange(inputs, 40, 60)));
    }

    @Test
    void resetForgets() {
        SampleStream stream = trained.stream();
        float[][] fresh = run(stream, 1, 2, 3);
        assertFalse(Arrays.deepEquals(fresh, run(stream, 1, 2, 3)), "nothing was carried");
        stream.reset();
        assertArrayEquals(fresh, run(stream, 1, 2, 3));
    }

    @Test
    void keepsTheParametersOfTheMomentItWasMade() {
        Network network = network();
        SampleStream old = network.stream();
        float[][] before = run(network.stream(), 1, 2, 3);
        new Feeder().steps(network, 0, 3);
        assertArrayEquals(before, run(old, 1, 2, 3));
        assertFalse(Arrays.deepEquals(before, run(network.stream(), 1, 2, 3)), "nothing was learned");
    }

    @Test
    void theSeedDecidesWhatIsGenerated() {
        int[][] generated = new int[3][];
        for (int i = 0; i < generated.length; i++) {
            SampleStream stream = primed();
            stream.seed(i < 2 ? 11 : 12);
            generated[i] = generate(stream, 100, 1.0, 1.0);
        }
        assertArrayEquals(generated[0], generated[1]);
        assertFalse(Arrays.equals(generated[0], generated[2]));
    }

    @Test
    void generatesAfterRunningWhatItGeneratesAfterConsuming() {
        int[][] generated = new int[2][];
        for (int i = 0; i < 2; i++) {
            SampleStream stream = trained.stream();
            stream.seed(1);
            if (i == 0) {
                run(stream, 1, 7, 3);
            } else {
                consume(stream, 1, 7, 3);
            }
            generated[i] = generate(stream, 20, 1.0, 1.0);
        }
        assertArrayEquals(generated[0], generated[1]);
    }

    @Test
    void consumesWhatItGenerates() {
        SampleStream stream = primed();
        int[] generated = generate(stream, 50, 1.0, 1.0);
        SampleStream other = primed();
        consume(other, generated);
        assertArrayEquals(run(other, 5), run(stream, 5));
    }

    @Test
    void generatesAndWritesClassesFrom128On() {
        Network network = network("inputs", 256, "outputs", 256);
        network.dl4j().getOutputLayer().getParam("b").putScalar(200, 50);
        SampleStream stream = network.stream();
        consume(stream, 255);
        assertArrayEquals(new int[] {200, 200, 200}, generate(stream, 3, 1.0, 1.0));
    }

    @ParameterizedTest
    @CsvSource({"1.0, 1e-9", "1e-6, 1.0"})
    void aTinyTopPOrTemperatureLeavesTheMostProbableClass(double temperature, double topP) {
        int[] inputs = {1, 7, 3};
        SampleStream stream = trained.stream();
        consume(stream, inputs);
        int[] generated = generate(stream, 100, temperature, topP);
        float[][] rows = run(trained.stream(), join(inputs, generated));
        for (int t = 0; t < generated.length; t++) {
            assertEquals(argMax(rows[inputs.length - 1 + t]), generated[t], "sample " + t);
        }
    }

    @ParameterizedTest
    @CsvSource({"1.0, 1.0", "2.0, 1.0", "0.5, 1.0", "1.0, 0.8", "2.0, 0.5"})
    void samplesFollowTheDistribution(double temperature, double topP) {
        // Seeds without a pattern, so that only the sampling itself is tested.
        SplittableRandom seeds = new SplittableRandom(1);
        assertFirstSamplesFollow(temperature, topP, i -> seeds.nextLong());
    }

    @Test
    void samplesOfNeighbouringSeedsFollowTheDistribution() {
        assertFirstSamplesFollow(1.0, 1.0, i -> i);
    }

    private static void assertFirstSamplesFollow(double temperature, double topP, LongUnaryOperator seeds) {
        int samples = 20000;
        int[] prime = ambiguousPrime();
        double[] expected = distribution(run(trained.stream(), prime)[prime.length - 1], temperature, topP);
        int[] counts = new int[CLASSES];
        SampleStream stream = trained.stream();
        Tensor inputs = bytes(prime);
        Tensor generated = Tensor.zeros("UBYTE", "c", new long[] {1});
        for (int i = 0; i < samples; i++) {
            stream.reset();
            stream.seed(seeds.applyAsLong(i));
            stream.consume(inputs, prime.length);
            stream.generate(generated, 1, temperature, topP, 0);
            counts[generated.array().getInt(0)]++;
        }
        double chiSquare = 0;
        double largest = 0;
        for (int k = 0; k < CLASSES; k++) {
            if (expected[k] == 0) {
                assertEquals(0, counts[k], "samples of class " + k + ", which top-p leaves out");
                continue;
            }
            double deviation = counts[k] - samples * expected[k];
            chiSquare += deviation * deviation / Math.max(samples * expected[k], 1);
            largest = Math.max(largest, expected[k]);
        }
        assertTrue(largest < 0.9, "the distribution is too peaked to show anything");
        // 15 degrees of freedom: one in a thousand is above 37.7.
        assertTrue(chiSquare < 37.7, "chi-square " + chiSquare + " of " + Arrays.toString(counts));
    }

    /** Three samples after which the most probable class has a probability of about 0.4. */
    private static int[] ambiguousPrime() {
        int[] best = null;
        float smallest = 1;
        for (int i = 0; i < 50; i++) {
            int[] prime = random(i, 3, CLASSES);
            float[] p = run(trained.stream(), prime)[2];
            float off = Math.abs(p[argMax(p)] - 0.4f);
            if (off < smallest) {
                smallest = off;
                best = prime;
            }
        }
        return best;
    }

    /** p^(1/temperature), restricted to the smallest set of most probable classes that reaches topP, and normalized. */
    private static double[] distribution(float[] p, double temperature, double topP) {
        double[] q = new double[p.length];
        for (int i = 0; i < p.length; i++) {
            q[i] = Math.pow(p[i], 1 / temperature);
        }
        normalise(q);
        double[] sorted = q.clone();
        Arrays.sort(sorted);
        double mass = 0;
        double least = 0;
        for (int i = sorted.length - 1; i >= 0 && mass < topP; i--) {
            mass += sorted[i];
            least = sorted[i];
        }
        for (int i = 0; i < q.length; i++) {
            q[i] = q[i] < least ? 0 : q[i];
        }
        normalise(q);
        return q;
    }

    private static void normalise(double[] q) {
        double sum = Arrays.stream(q).sum();
        for (int i = 0; i < q.length; i++) {
            q[i] /= sum;
        }
    }

    @Test
    void generatesNothingBeforeAnyInput() {
        SampleStream stream = trained.stream();
        assertThrows(IllegalStateException.class, () -> generate(stream, 1, 1.0, 1.0));
        consume(stream, 3);
        assertEquals(2, generate(stream, 2, 1.0, 1.0).length);
        stream.reset();
        assertThrows(IllegalStateException.class, () -> generate(stream, 1, 1.0, 1.0));
    }

    private static AbstractLSTM.Builder<?> lstm() {
        AbstractLSTM.Builder<?> builder = Fixtures.cell.builder();
        builder.nIn(CLASSES).nOut(HIDDEN).activation(Activation.TANH);
        return builder;
    }

    private static RnnOutputLayer output(Activation activation, LossFunctions.LossFunction loss) {
        return new RnnOutputLayer.Builder(loss).activation(activation).dataFormat(RNNFormat.NCW)
                .nIn(HIDDEN).nOut(CLASSES).build();
    }

    private static RnnOutputLayer softmax() {
        return output(Activation.SOFTMAX, LossFunctions.LossFunction.MCXENT);
    }

    private static SampleStream streamOf(Layer recurrent, Layer output) {
        MultiLayerNetwork net = new MultiLayerNetwork(
                new NeuralNetConfiguration.Builder().list().layer(recurrent).layer(output).build());
        net.init();
        return new SampleStream(net);
    }

    static Stream<Arguments> unreadable() {
        return Stream.of(
                Arguments.of("sigmoid output", lstm().build(),
                        output(Activation.SIGMOID, LossFunctions.LossFunction.XENT)),
                Arguments.of("output layer without time", lstm().build(),
                        new OutputLayer.Builder(LossFunctions.LossFunction.MCXENT).activation(Activation.SOFTMAX)
                                .nIn(HIDDEN).nOut(CLASSES).build()),
                Arguments.of("SimpleRnn",
                        new SimpleRnn.Builder().nIn(CLASSES).nOut(HIDDEN).activation(Activation.TANH).build(), softmax()),
                Arguments.of("softsign", lstm().activation(Activation.SOFTSIGN).build(), softmax()),
                Arguments.of("hard-sigmoid gates",
                        lstm().gateActivationFunction(Activation.HARDSIGMOID).build(), softmax()),
                Arguments.of("dense layer", new DenseLayer.Builder().nIn(CLASSES).nOut(HIDDEN).build(),
                        softmax()));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("unreadable")
    void refusesANetworkWhoseArithmeticIsNotItsOwn(String what, Layer recurrent, Layer output) {
        assertThrows(IllegalArgumentException.class, () -> streamOf(recurrent, output));
    }

    @Test
    void readsTheNetworkThatTheRefusedOnesDifferFrom() {
        assertEquals(1, run(streamOf(lstm().build(), softmax()), 3).length);
    }
}

@WithCell("lstm")
class SampleStreamOfLstmTest extends SampleStreamTest {}
