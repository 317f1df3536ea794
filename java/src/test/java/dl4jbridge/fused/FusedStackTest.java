package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.assertBlocksClose;
import static dl4jbridge.fused.Twins.assertStatesClose;
import static dl4jbridge.fused.Twins.gradient;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.deeplearning4j.exception.DL4JInvalidInputException;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** The whole stack at once against stock DL4J, and, where stock's carried gradient is another, against layer by layer. */
class FusedStackTest {
    private static final double CLOSE = 1e-6;
    /** Sums of a hundred products in single precision, in another order. */
    private static final double LARGER = 1e-5;
    private static final boolean UNPACKED = Gemm.multipliesUnpacked;
    private static final Sizes SMALL = new Sizes(3, 5, 4, 6, 4, 2);

    @AfterEach
    void asBefore() {
        Workers.setThreads(1);
        Gemm.multipliesUnpacked = UNPACKED;
    }

    enum Kind {
        CLASSES(LossFunction.MCXENT, Activation.SOFTMAX),
        NUMBERS(LossFunction.MSE, Activation.IDENTITY),
        SHARES(LossFunction.MSE, Activation.SIGMOID);

        final LossFunction loss;
        final Activation activation;

        Kind(LossFunction loss, Activation activation) {
            this.loss = loss;
            this.activation = activation;
        }

        MultiLayerConfiguration configuration(Sizes sizes) {
            return sizes.configuration(loss, activation);
        }

        INDArray input(Sizes sizes, long seed) {
            return this == CLASSES ? sizes.oneHotInput(seed) : sizes.denseInput(seed);
        }

        INDArray labels(Sizes sizes, long seed) {
            return this == CLASSES ? sizes.labels(seed)
                    : Twins.gaussian(~seed, sizes.batch, sizes.outputs, sizes.steps).muli(0.3);
        }
    }

    static Stream<Arguments> cases() {
        List<Sizes> sizes = List.of(SMALL, new Sizes(1, 1, 3, 4, 2, 1), new Sizes(33, 4, 7, 13, 11, 3),
                new Sizes(5, 60, 17, 8, 17, 2));
        Stream<Arguments> odd = sizes.stream().flatMap(s -> Stream.of(Kind.values())
                .flatMap(kind -> Stream.of(1, 2, 3).map(threads -> Arguments.of(s, kind, threads, true, CLOSE))));
        Sizes inChunks = new Sizes(32, 25, 60, 104, 100, 2);
        Stream<Arguments> large = Stream.of(Kind.values())
                .flatMap(kind -> Stream.of(true, false).map(unpacked -> Arguments.of(inChunks, kind, 2, unpacked, LARGER)));
        return Stream.concat(odd, large);
    }

    private static Twins twins(Kind kind, Sizes sizes) {
        return new Twins(kind.configuration(sizes), GradientState.CARRIED, PointwiseMath.EXACT);
    }

    private static FusedStack stack(MultiLayerNetwork net) {
        net.initGradientsView();
        return FusedStack.of(net);
    }

    @ParameterizedTest(name = "{0}, {1}, {2} threads, unpacked {3}")
    @MethodSource("cases")
    void gradientScoreAndStateAreThoseOfDl4j(Sizes sizes, Kind kind, int threads, boolean unpacked, double close) {
        Workers.setThreads(threads);
        Gemm.multipliesUnpacked = unpacked;
        Twins twins = twins(kind, sizes);
        MultiLayerNetwork layerByLayer = twins.fused.clone();
        FusedStack stack = stack(twins.fused);
        for (int segment = 0; segment < 3; segment++) {
            INDArray x = kind.input(sizes, segment);
            INDArray y = kind.labels(sizes, segment);
            // From the second segment on, stock's gradient is not that of its own loss.
            MultiLayerNetwork reference = segment == 0 ? twins.stock : layerByLayer;
            float[] stock = gradient(twins.stock, x, y);
            float[] carried = gradient(layerByLayer, x, y);
            assertTrue(stack.computeGradient(x, y));
            String what = "segment " + segment;
            assertBlocksClose(
                    reference, segment == 0 ? stock : carried, values(twins.fused.getFlattenedGradients()), close, what);
            assertEquals(reference.score(), stack.loss(), 20 * close * reference.score(), what);
            assertStatesClose(twins.stock, twins.fused, close, what);
            double[] squares = squares(twins.fused);
            for (int layer = 0; layer < squares.length; layer++) {
                assertEquals(squares[layer], stack.squares()[layer], 1e-5 * squares[layer], what + ", layer " + layer);
            }
        }
    }

    /** Sum of squares of each layer's gradient, in double precision. */
    private static double[] squares(MultiLayerNetwork net) {
        float[] gradient = values(net.getFlattenedGradients());
        double[] squares = new double[net.getnLayers()];
        int at = 0;
        for (int layer = 0; layer < squares.length; layer++) {
            for (int end = at + (int) net.getLayer(layer).numParams(); at < end; at++) {
                squares[layer] += (double) gradient[at] * gradient[at];
            }
        }
        return squares;
    }

    @Test
    void aShorterSegmentBetweenLongerOnes() {
        Workers.setThreads(2);
        Twins twins = twins(Kind.CLASSES, SMALL);
        FusedStack stack = stack(twins.fused);
        for (int steps : new int[] {5, 2, 5}) {
            Sizes sizes = new Sizes(SMALL.batch, steps, SMALL.inputs, SMALL.hidden, SMALL.outputs, SMALL.layers);
            twins.fused.rnnClearPreviousState();
            twins.stock.rnnClearPreviousState();
            INDArray x = sizes.oneHotInput(steps);
            INDArray y = sizes.labels(steps);
            float[] expected = gradient(twins.stock, x, y);
            assertTrue(stack.computeGradient(x, y));
            assertBlocksClose(twins.stock, expected, values(twins.fused.getFlattenedGradients()), CLOSE, steps + " steps");
        }
    }

    @Test
    void accuracyIsTheShareOfLabelsThatAreTheLikeliest() {
        MultiLayerNetwork net = twins(Kind.CLASSES, SMALL).fused;
        FusedStack stack = stack(net);
        INDArray x = SMALL.oneHotInput(1);
        INDArray y = SMALL.labels(1);
        INDArray hits = net.output(x).argMax(1).eq(y.argMax(1)).castTo(DataType.FLOAT);
        assertTrue(stack.computeGradient(x, y));
        assertEquals(hits.meanNumber().doubleValue(), stack.accuracy(), 1e-6);
    }

    @Test
    void labelsThatTheLossDoesNotCoverAreLeftToDl4j() {
        MultiLayerNetwork net = twins(Kind.CLASSES, SMALL).fused;
        FusedStack stack = stack(net);
        assertFalse(stack.computeGradient(SMALL.oneHotInput(1), SMALL.labels(1).mul(0.5)), "not one-hot");
        assertFalse(stack.computeGradient(SMALL.oneHotInput(1), Twins.oneHot(1, 3, 5, 5)), "one class more");
        assertTrue(net.rnnGetPreviousState(0).isEmpty(), "a state of a segment that was not computed");
    }

    @Test
    void anInputOfAnotherSizeIsRefused() {
        FusedStack stack = stack(twins(Kind.CLASSES, SMALL).fused);
        assertThrows(DL4JInvalidInputException.class,
                () -> stack.computeGradient(Twins.oneHot(1, 3, 7, 5), SMALL.labels(1)));
    }

    @Test
    void aPartThatFailsIsReportedAndBlocksNoThread() {
        Workers.setThreads(2);
        MultiLayerNetwork net = twins(Kind.NUMBERS, SMALL).fused;
        FusedStack stack = stack(net);
        ((SquaredError) ((FusedRnnOutputLayer) net.getOutputLayer()).loss()).setWeights(null);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> assertThrows(IllegalStateException.class,
                () -> stack.computeGradient(SMALL.denseInput(1), SMALL.labels(1))));
    }

    @Test
    void whatIsMoreThanFusedLayersGoesThroughDl4j() {
        assertNull(stack(twins(Kind.CLASSES, SMALL).stock), "stock layers");
        assertNull(stack(Twins.exact(Kind.CLASSES.configuration(SMALL)).fused), "stock's gradient");
        assertNull(stack(new Twins(SMALL.configuration(b -> b.dropOut(0.5)), GradientState.CARRIED,
                PointwiseMath.EXACT).fused), "dropout");
        assertNotNull(stack(twins(Kind.CLASSES, SMALL).fused));
    }
}

@WithCell("lstm")
class FusedStackOfLstmTest extends FusedStackTest {}
