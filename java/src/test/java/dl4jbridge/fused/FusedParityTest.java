package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.assertBlocksClose;
import static dl4jbridge.fused.Twins.assertClose;
import static dl4jbridge.fused.Twins.assertStatesClose;
import static dl4jbridge.fused.Twins.furthest;
import static dl4jbridge.fused.Twins.gaussian;
import static dl4jbridge.fused.Twins.gradient;
import static dl4jbridge.fused.Twins.largest;
import static dl4jbridge.fused.Twins.parameters;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.deeplearning4j.exception.DL4JInvalidInputException;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.WorkspaceMode;
import org.deeplearning4j.nn.conf.weightnoise.DropConnect;
import org.deeplearning4j.nn.conf.weightnoise.IWeightNoise;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Sgd;

/**
 * Fused layers against stock ones. 1e-6 everywhere: of an output or a state (which are at most about 1), of the largest
 * number in a block of gradients, and of a parameter after all steps of a test.
 */
class FusedParityTest {
    private static final double CLOSE = 1e-6;
    /** Where sums go over hundreds of samples. */
    private static final double LARGER = 3e-6;
    /** With activations that are off by up to 3e-7. */
    private static final double RATIONAL = 3e-6;
    private static final LayerWorkspaceMgr NO_WORKSPACES = LayerWorkspaceMgr.noWorkspaces();
    /** 70 samples a segment: enough for the way that looks for a one-hot input. */
    static final Sizes MANY = new Sizes(7, 10, 6, 5, 7, 2);
    /** 12 samples a segment: the way for few. */
    private static final Sizes FEW = new Sizes(3, 4, 6, 5, 7, 2);

    private static final boolean MULTIPLIES_UNPACKED = Gemm.multipliesUnpacked;

    @AfterEach
    void reset() {
        Workers.setThreads(1);
        Gemm.multipliesUnpacked = MULTIPLIES_UNPACKED;
    }

    static Stream<Arguments> sizesAndThreads() {
        return Stream.of(
                Arguments.of(MANY, 1), Arguments.of(MANY, 2), Arguments.of(MANY, 5),
                Arguments.of(FEW, 1), Arguments.of(FEW, 2), Arguments.of(FEW, 5),
                Arguments.of(new Sizes(1, 1, 1, 1, 2, 1), 1),
                Arguments.of(new Sizes(1, 1, 5, 13, 3, 2), 2),
                Arguments.of(new Sizes(5, 13, 4, 1, 5, 2), 2), Arguments.of(new Sizes(1, 64, 4, 13, 5, 1), 2),
                Arguments.of(new Sizes(1, 9, 4, 13, 5, 3), 1),
                Arguments.of(new Sizes(70, 1, 4, 5, 5, 1), 2),
                Arguments.of(new Sizes(9, 8, 9, 13, 4, 3), 2),
                Arguments.of(new Sizes(17, 4, 8, 17, 9, 1), 3));
    }

    /** Two segments, the second from the state that the first left. */
    private static void assertSegmentsClose(Twins twins, Sizes sizes, boolean oneHot, double close) {
        for (int segment = 0; segment < 2; segment++) {
            INDArray x = oneHot ? sizes.oneHotInput(segment) : sizes.denseInput(segment);
            INDArray y = sizes.labels(segment);
            String what = "segment " + segment;
            float[] expected = gradient(twins.stock, x, y);
            float[] actual = gradient(twins.fused, x, y);
            assertEquals(twins.stock.score(), twins.fused.score(), close * twins.stock.score(), what);
            assertStatesClose(twins.stock, twins.fused, close, what);
            assertBlocksClose(twins.stock, expected, actual, close, what);
        }
    }

    @ParameterizedTest
    @MethodSource("sizesAndThreads")
    void scoreStatesAndGradientsOfAOneHotInput(Sizes sizes, int threads) {
        Workers.setThreads(threads);
        assertSegmentsClose(Twins.exact(sizes.configuration()), sizes, true, CLOSE);
    }

    @ParameterizedTest
    @MethodSource("sizesAndThreads")
    void scoreStatesAndGradientsOfADenseInput(Sizes sizes, int threads) {
        Workers.setThreads(threads);
        assertSegmentsClose(Twins.exact(sizes.configuration()), sizes, false, CLOSE);
    }

    /** A segment in several chunks of steps, of different length for each thread, and in one. */
    @ParameterizedTest
    @CsvSource({"33, 3, 1, true, true", "33, 3, 2, false, true", "33, 51, 1, false, true", "33, 51, 2, true, true",
            "33, 51, 2, false, true", "150, 2, 1, true, true", "250, 2, 1, false, true", "33, 51, 2, true, false",
            "33, 51, 2, false, false"})
    void largerLayers(int batch, int steps, int threads, boolean oneHot, boolean unpacked) {
        Workers.setThreads(threads);
        Gemm.multipliesUnpacked = unpacked;
        Sizes sizes = new Sizes(batch, steps, 20, 50, 11, 2);
        assertSegmentsClose(Twins.exact(sizes.configuration()), sizes, oneHot, LARGER);
    }

    /** The same with DL4J's other settings around the layers. */
    @Test
    void withoutWorkspacesAndWithoutTruncation() {
        Consumer<NeuralNetConfiguration.Builder> plain =
                builder -> builder.trainingWorkspaceMode(WorkspaceMode.NONE).inferenceWorkspaceMode(WorkspaceMode.NONE);
        assertSegmentsClose(Twins.exact(MANY.configuration(plain)), MANY, true, CLOSE);
        MultiLayerConfiguration whole = MANY.configuration();
        whole.setBackpropType(BackpropType.Standard);
        Twins twins = Twins.exact(whole);
        for (MultiLayerNetwork net : twins.both()) {
            for (int i = 0; i < 3; i++) {
                net.fit(MANY.oneHotInput(i), MANY.labels(i));
            }
        }
        assertClose(parameters(twins.stock), parameters(twins.fused), CLOSE, "parameters");
    }

    /** They share the worker threads and nothing else. */
    @Test
    void twoNetworksTrainedAtOnceDoNotDisturbEachOther() throws InterruptedException {
        Workers.setThreads(2);
        MultiLayerNetwork[] together = new MultiLayerNetwork[2];
        Thread[] threads = new Thread[2];
        for (int i = 0; i < 2; i++) {
            MultiLayerNetwork net = Twins.exact(SEGMENT.configuration()).fused;
            together[i] = net;
            int seed = i;
            threads[i] = new Thread(() -> net.fit(WINDOW.oneHotInput(seed), WINDOW.labels(seed)));
        }
        for (Thread thread : threads) {
            thread.start();
        }
        for (int i = 0; i < 2; i++) {
            threads[i].join();
            MultiLayerNetwork alone = Twins.exact(SEGMENT.configuration()).fused;
            alone.fit(WINDOW.oneHotInput(i), WINDOW.labels(i));
            assertArrayEquals(parameters(alone), parameters(together[i]));
        }
    }

    @Test
    void whatStockRefusesIsRefused() {
        for (MultiLayerNetwork net : Twins.exact(MANY.configuration()).both()) {
            assertThrows(DL4JInvalidInputException.class, () -> net.output(Twins.oneHot(1, 3, MANY.inputs + 1, 4)));
            net.rnnTimeStep(Twins.oneHot(1, 3, MANY.inputs, 4));
            assertThrows(IllegalStateException.class, () -> net.rnnTimeStep(Twins.oneHot(1, 2, MANY.inputs, 4)));
            net.rnnClearPreviousState();
            net.rnnTimeStep(Twins.oneHot(1, 2, MANY.inputs, 4));
        }
    }

    private interface Input {
        INDArray of(Sizes sizes);
    }

    private static Arguments input(String name, Input input) {
        return Arguments.of(name, input);
    }

    private static Input almostOneHot(float value, boolean atTheOne) {
        return sizes -> {
            INDArray x = sizes.oneHotInput(5);
            int hot = x.get(NDArrayIndex.point(1),
                    NDArrayIndex.all(),
                    NDArrayIndex.point(sizes.steps - 2)).argMax().getInt(0);
            x.putScalar(new int[] {1, atTheOne ? hot : (hot + 1) % sizes.inputs, sizes.steps - 2}, value);
            return x;
        };
    }

    static Stream<Arguments> inputs() {
        return Stream.of(
                input("one-hot in 'c' order", sizes -> sizes.oneHotInput(5).dup('c')),
                input("dense in 'c' order", sizes -> sizes.denseInput(5).dup('c')),
                input("one-hot as another layer would give it", sizes -> permuted(sizes.oneHotInput(5))),
                input("dense as another layer would give it", sizes -> permuted(sizes.denseInput(5))),
                input("some steps of a longer one-hot", sizes -> Twins.steps(
                        Twins.oneHot(5, sizes.batch, sizes.inputs, sizes.steps + 5), 3, sizes.steps + 3)),
                input("one-hot in DOUBLE", sizes -> sizes.oneHotInput(5).castTo(DataType.DOUBLE)),
                input("dense in DOUBLE", sizes -> sizes.denseInput(5).castTo(DataType.DOUBLE)),
                input("a one that is 2", almostOneHot(2, true)),
                input("a one that is 0: none", almostOneHot(0, true)),
                input("two ones", almostOneHot(1, false)),
                input("a zero that is -0.5", almostOneHot(-0.5f, false)));
    }

    /** Laid out [steps, batch, size]. */
    private static INDArray permuted(INDArray x) {
        return x.permute(2, 0, 1).dup('c').permute(1, 2, 0);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("inputs")
    void anyLayoutAndAnyNumbers(String name, Input input) {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            INDArray x = input.of(sizes);
            INDArray before = x.dup();
            Twins twins = Twins.exact(sizes.configuration());
            float[] expected = gradient(twins.stock, x, sizes.labels(5));
            float[] actual = gradient(twins.fused, x, sizes.labels(5));
            assertEquals(twins.stock.score(), twins.fused.score(), CLOSE * twins.stock.score(), name);
            assertStatesClose(twins.stock, twins.fused, CLOSE, name);
            assertBlocksClose(twins.stock, expected, actual, CLOSE, name);
            assertEquals(before, x, "the caller's tensor");
        }
    }

    @Test
    void nanComesOutWhereStockHasIt() {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            INDArray x = sizes.oneHotInput(5);
            x.putScalar(new int[] {1, 2, sizes.steps / 2}, Float.NaN);
            Twins twins = Twins.exact(sizes.configuration());
            float[] expected = values(twins.stock.output(x));
            assertTrue(Float.isNaN(expected[expected.length - sizes.batch + 1]) && !Float.isNaN(expected[0]));
            assertClose(expected, values(twins.fused.output(x)), CLOSE, "output");
            assertClose(gradient(twins.stock, x, sizes.labels(5)), gradient(twins.fused, x, sizes.labels(5)), 0, "gradient");
        }
    }

    /** Soft labels, and labels that stock takes in its way: none, two, and in 'c' order. */
    @Test
    void anyLabels() {
        INDArray soft = gaussian(4, MANY.batch, MANY.outputs, MANY.steps).muli(0.2).addi(0.3);
        INDArray two = MANY.labels(4);
        two.addi(MANY.labels(5));
        INDArray none = MANY.labels(4);
        none.tensorAlongDimension(3, 0, 1).assign(0);
        for (INDArray y : List.of(soft, two, none, MANY.labels(4).dup('c'), MANY.labels(4).castTo(DataType.DOUBLE))) {
            Twins twins = Twins.exact(MANY.configuration());
            INDArray x = MANY.oneHotInput(4);
            float[] expected = gradient(twins.stock, x, y);
            assertBlocksClose(twins.stock, expected, gradient(twins.fused, x, y), CLOSE, "gradient");
            assertEquals(twins.stock.score(), twins.fused.score(), CLOSE * twins.stock.score());
        }
    }

    /** A probability below 1e-10 counts as 1e-10 in the score, not in the gradient. */
    @Test
    void hopelessProbabilities() {
        Twins twins = Twins.exact(MANY.configuration());
        for (MultiLayerNetwork net : twins.both()) {
            net.getParam("2_b").putScalar(0, 60);
        }
        float[] expected = gradient(twins.stock, MANY.oneHotInput(1), MANY.labels(1));
        float[] actual = gradient(twins.fused, MANY.oneHotInput(1), MANY.labels(1));
        assertTrue(twins.stock.score() > 15 * MANY.steps, "not hopeless enough: " + twins.stock.score());
        // Stock adds up logarithms of floats.
        assertEquals(twins.stock.score(), twins.fused.score(), 3 * CLOSE * twins.stock.score());
        assertBlocksClose(twins.stock, expected, actual, CLOSE, "gradient");
    }

    private static final int STEPS = 20;
    /** 72 samples a segment, 54 in the last. */
    private static final Sizes SEGMENT = new Sizes(9, 8, 6, 5, 6, 2);
    private static final Sizes WINDOW = new Sizes(9, STEPS * 8 - 2, 6, 5, 6, 2);

    private static Twins trained(MultiLayerConfiguration configuration, PointwiseMath math) {
        Twins twins = new Twins(configuration, GradientState.STOCK, math);
        for (MultiLayerNetwork net : twins.both()) {
            net.fit(WINDOW.oneHotInput(1), WINDOW.labels(1));
            assertEquals(STEPS, net.getIterationCount());
        }
        return twins;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void parametersAfterTwentySteps(int threads) {
        Workers.setThreads(threads);
        MultiLayerConfiguration configuration = SEGMENT.configuration(new Sgd(0.1));
        float[] before = parameters(Twins.network(configuration));
        Twins twins = trained(configuration, PointwiseMath.EXACT);
        assertTrue(furthest(before, parameters(twins.stock)) > 0.1, "hardly anything was learned");
        assertClose(parameters(twins.stock), parameters(twins.fused), CLOSE, "parameters");
    }

    /**
     * Adam moves a parameter by learning rate x gradient / its own usual size, so an error of 1e-7 in a gradient of 1e-4
     * is one of 1e-5 in the parameter; and of the whole learning rate where the gradient is nothing but rounding.
     */
    @Test
    void parametersAfterTwentyStepsOfAdam() {
        Twins twins = trained(SEGMENT.configuration(new Adam(0.01)), PointwiseMath.EXACT);
        assertClose(parameters(twins.stock), parameters(twins.fused), 1e-5, "parameters");
    }

    @Test
    void networksStayAlikeAfterTraining() {
        Twins twins = trained(SEGMENT.configuration(), PointwiseMath.EXACT);
        INDArray x = MANY.oneHotInput(8);
        double close = 5 * CLOSE; // their parameters differ as far as the test above allows
        assertClose(twins.stock.output(x), twins.fused.output(x), close, "output");
        List<INDArray> expected = twins.stock.feedForward(x, true);
        List<INDArray> actual = twins.fused.feedForward(x, true);
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertClose(expected.get(i), actual.get(i), close, "activations " + i);
        }
        DataSet scored = new DataSet(x, new Sizes(MANY.batch, MANY.steps, 6, 5, 6, 2).labels(8));
        assertEquals(twins.stock.score(scored), twins.fused.score(scored), close * twins.stock.score(scored));
    }

    @Test
    void timeStepsAfterTraining() {
        Twins twins = trained(SEGMENT.configuration(), PointwiseMath.EXACT);
        INDArray x = MANY.oneHotInput(9);
        double close = 5 * CLOSE;
        for (int[] range : new int[][] {{0, 5}, {5, 6}, {6, 10}}) {
            INDArray part = Twins.steps(x, range[0], range[1]);
            assertClose(twins.stock.rnnTimeStep(part), twins.fused.rnnTimeStep(part), close, "step " + range[0]);
            assertStatesClose(twins.stock, twins.fused, close, "step " + range[0]);
        }
        INDArray one = x.tensorAlongDimension(0, 0, 1);
        assertClose(twins.stock.rnnTimeStep(one), twins.fused.rnnTimeStep(one), close, "rank 2");
        for (MultiLayerNetwork net : twins.both()) {
            net.rnnClearPreviousState();
        }
        INDArray other = Twins.oneHot(3, 5, 6, 2); // of another batch
        assertClose(twins.stock.rnnTimeStep(other), twins.fused.rnnTimeStep(other), close, "after clearing");
    }

    @Test
    void aCloneIsTheSameAndApart() {
        Twins twins = trained(SEGMENT.configuration(new Adam(0.01)), PointwiseMath.EXACT);
        MultiLayerNetwork clone = twins.fused.clone();
        assertEquals(twins.fused.getLayer(0).getClass(), clone.getLayer(0).getClass());
        assertNotSame(twins.fused.getLayer(0), clone.getLayer(0));
        INDArray x = SEGMENT.oneHotInput(4);
        INDArray y = SEGMENT.labels(4);
        float[] before = parameters(twins.fused);
        clone.fit(x, y);
        assertArrayEquals(before, parameters(twins.fused), "the clone's training changed the original");
        twins.fused.fit(x, y);
        assertArrayEquals(parameters(twins.fused), parameters(clone));
        assertFalse(Arrays.equals(before, parameters(clone)));
        assertEquals(twins.fused.getUpdater().getStateViewArray(), clone.getUpdater().getStateViewArray());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void calculateGradientsHasTheInputGradient(boolean oneHot) {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            Twins twins = Twins.exact(sizes.configuration());
            INDArray x = oneHot ? sizes.oneHotInput(6) : sizes.denseInput(6);
            Pair<Gradient, INDArray> expected = twins.stock.calculateGradients(x, sizes.labels(6), null, null);
            Pair<Gradient, INDArray> actual = twins.fused.calculateGradients(x, sizes.labels(6), null, null);
            assertNotNull(actual.getSecond(), "no input gradient");
            assertTrue(largest(values(expected.getSecond())) > 0.01);
            assertClose(expected.getSecond(), actual.getSecond(), CLOSE, "input gradient");
            assertBlocksClose(twins.stock, values(expected.getFirst().gradient()), values(actual.getFirst().gradient()),
                    CLOSE, "gradient");
            assertEquals(expected.getFirst().gradientForVariable().keySet(),
                    actual.getFirst().gradientForVariable().keySet());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void dropoutSamplesTheSameNumbers(boolean oneHot) {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            Twins twins = Twins.exact(sizes.configuration(builder -> builder.dropOut(0.7)));
            for (int segment = 1; segment <= 2; segment++) { // as a seed, 0 is the clock
                INDArray x = oneHot ? sizes.oneHotInput(segment) : sizes.denseInput(segment);
                INDArray y = sizes.labels(segment);
                Nd4j.getRandom().setSeed(segment);
                float[] expected = gradient(twins.stock, x, y);
                Nd4j.getRandom().setSeed(segment);
                float[] actual = gradient(twins.fused, x, y);
                assertEquals(twins.stock.score(), twins.fused.score(), CLOSE * twins.stock.score());
                assertStatesClose(twins.stock, twins.fused, CLOSE, "state");
                assertBlocksClose(twins.stock, expected, actual, CLOSE, "gradient");
                Nd4j.getRandom().setSeed(segment + 100);
                assertTrue(furthest(actual, gradient(twins.fused, x, y)) > 0.01, "nothing was dropped");
                for (MultiLayerNetwork net : twins.both()) {
                    net.rnnClearPreviousState();
                }
            }
            INDArray x = sizes.oneHotInput(3);
            assertClose(twins.stock.output(x), twins.fused.output(x), CLOSE, "output");
        }
    }

    @Test
    void trainingWithDropout() {
        Twins twins = Twins.exact(SEGMENT.configuration(builder -> builder.dropOut(0.7)));
        for (MultiLayerNetwork net : twins.both()) {
            Nd4j.getRandom().setSeed(5);
            net.fit(WINDOW.oneHotInput(1), WINDOW.labels(1));
        }
        assertClose(parameters(twins.stock), parameters(twins.fused), CLOSE, "parameters");
    }

    /** Scales the weights in training, each kind by another factor, to show whether one is taken for another. */
    public static final class Shrink implements IWeightNoise {
        private static final long serialVersionUID = 1L;

        @Override
        public INDArray getParameter(
                Layer layer, String key, int iteration, int epoch, boolean train, LayerWorkspaceMgr workspaces) {
            INDArray parameter = layer.getParam(key);
            return train ? parameter.mul(key.equals("W") ? 0.9 : key.equals("RW") ? 0.8 : 0.7) : parameter;
        }

        @Override
        public Shrink clone() {
            return new Shrink();
        }
    }

    @Test
    void weightNoise() {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            Twins twins = Twins.exact(sizes.configuration(builder -> builder.weightNoise(new Shrink())));
            assertSegmentsClose(twins, sizes, true, CLOSE);
            INDArray x = sizes.oneHotInput(3);
            assertClose(twins.stock.output(x), twins.fused.output(x), CLOSE, "output");
        }
    }

    @Test
    void dropConnectSamplesTheSameNumbers() {
        Twins twins = Twins.exact(MANY.configuration(builder -> builder.weightNoise(new DropConnect(0.8))));
        Nd4j.getRandom().setSeed(3);
        float[] expected = gradient(twins.stock, MANY.oneHotInput(3), MANY.labels(3));
        Nd4j.getRandom().setSeed(3);
        float[] actual = gradient(twins.fused, MANY.oneHotInput(3), MANY.labels(3));
        assertBlocksClose(twins.stock, expected, actual, CLOSE, "gradient");
    }

    private static INDArray mask(String kind, Sizes sizes) {
        INDArray mask = Nd4j.ones(DataType.FLOAT, sizes.batch, sizes.steps);
        for (int t = 0; t < sizes.steps; t++) {
            boolean out = kind.equals("tail") ? t >= sizes.steps - 2
                    : kind.equals("head") ? t < 2
                    : kind.equals("hole") ? t == 1 || t == 2
                    : kind.equals("all");
            if (out) {
                mask.putScalar(1, t, 0);
                mask.putScalar(sizes.batch - 1, t, 0);
            }
        }
        return mask;
    }

    @ParameterizedTest
    @CsvSource({"tail, true", "head, true", "hole, true", "all, true", "none, true", "tail, false", "hole, false"})
    void aMaskOfALayer(String kind, boolean oneHot) {
        for (Sizes sizes : new Sizes[] {MANY, FEW, new Sizes(33, 4, 20, 50, 11, 1)}) {
            for (int threads : new int[] {1, 2}) {
                Workers.setThreads(threads);
                Twins twins = Twins.exact(sizes.configuration());
                INDArray[][] results = new INDArray[2][];
                for (int side = 0; side < 2; side++) {
                    MultiLayerNetwork net = twins.both()[side];
                    net.initGradientsView();
                    Layer layer = net.getLayer(0);
                    layer.setMaskArray(mask(kind, sizes));
                    INDArray out = layer.activate(oneHot ? sizes.oneHotInput(2) : sizes.denseInput(2), true, NO_WORKSPACES);
                    INDArray epsilon = gaussian(3, sizes.batch, sizes.hidden, sizes.steps).muli(0.3);
                    INDArray below = layer.backpropGradient(epsilon, NO_WORKSPACES).getSecond();
                    results[side] = new INDArray[] {out.dup(), below.dup(), net.getFlattenedGradients().dup()};
                }
                for (int i = 0; i < 2; i++) {
                    assertClose(results[0][i], results[1][i], CLOSE, kind + (i == 0 ? ", output" : ", input gradient"));
                }
                assertBlocksClose(twins.stock, values(results[0][2]), values(results[1][2]), LARGER, kind);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"tail, none", "none, hole", "head, head", "tail, tail", "null, tail", "tail, null"})
    void masksOfFeaturesAndLabels(String features, String labels) {
        Sizes window = new Sizes(9, 3 * 8 - 2, 6, 5, 6, 2);
        Twins twins = Twins.exact(SEGMENT.configuration());
        for (MultiLayerNetwork net : twins.both()) {
            net.fit(new DataSet(window.oneHotInput(2), window.labels(2),
                    features.equals("null") ? null : mask(features, window),
                    labels.equals("null") ? null : mask(labels, window)));
        }
        assertClose(parameters(twins.stock), parameters(twins.fused), CLOSE, "parameters");
        INDArray x = window.oneHotInput(3);
        INDArray mask = mask("tail", window);
        assertClose(twins.stock.output(x, false, mask, mask), twins.fused.output(x, false, mask, mask), 5 * CLOSE, "output");
    }

    static Stream<Arguments> someSizesAndThreads() {
        return sizesAndThreads().filter(arguments -> ((Sizes) arguments.get()[0]).batch % 3 == 0);
    }

    @ParameterizedTest
    @MethodSource("someSizesAndThreads")
    void rationalActivationsAreClose(Sizes sizes, int threads) {
        Workers.setThreads(threads);
        Twins twins = new Twins(sizes.configuration(), GradientState.STOCK, PointwiseMath.RATIONAL);
        assertSegmentsClose(twins, sizes, true, RATIONAL);
    }

    @Test
    void rationalActivationsTrainAlike() {
        Twins twins = trained(SEGMENT.configuration(new Sgd(0.1)), PointwiseMath.RATIONAL);
        assertClose(parameters(twins.stock), parameters(twins.fused), RATIONAL, "parameters");
    }
}

@WithCell("lstm")
class FusedParityOfLstmTest extends FusedParityTest {
    /** Otherwise the tests above would compare with cuDNN. */
    @Test
    void stockComputesWithoutAHelper() {
        assertNull(Twins.network(MANY.configuration()).getLayer(0).getHelper());
    }
}
