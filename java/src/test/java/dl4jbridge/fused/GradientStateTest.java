package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.assertBlocksClose;
import static dl4jbridge.fused.Twins.assertClose;
import static dl4jbridge.fused.Twins.furthest;
import static dl4jbridge.fused.Twins.gaussian;
import static dl4jbridge.fused.Twins.gradient;
import static dl4jbridge.fused.Twins.largest;
import static dl4jbridge.fused.Twins.parameters;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.util.Map;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.layers.RecurrentLayer;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Gradients against central differences of the loss, both in double precision and written down independently. Stock's
 * gradient misses the carried state by a twentieth and more, rounding to float by less than a millionth.
 */
class GradientStateTest {
    private static final double CLOSE = 1e-6;
    private static final double FAR = 0.05;
    private static final LayerWorkspaceMgr NO_WORKSPACES = LayerWorkspaceMgr.noWorkspaces();

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    static Stream<Arguments> sizes() {
        return Stream.of(
                Arguments.of(new Sizes(2, 4, 4, 3, 3, 1), 1),
                Arguments.of(new Sizes(2, 4, 4, 3, 3, 2), 2),
                Arguments.of(new Sizes(9, 8, 4, 3, 3, 2), 2),
                Arguments.of(new Sizes(1, 1, 3, 2, 3, 1), 1));
    }

    /** Three segments, each from the state that the one before left. */
    @ParameterizedTest
    @MethodSource("sizes")
    void onlyCarriedIsTheGradientOfACarriedSegment(Sizes sizes, int threads) {
        Workers.setThreads(threads);
        Twins twins = Twins.exact(sizes.configuration());
        MultiLayerNetwork carried = new Twins(sizes.configuration(), GradientState.CARRIED, PointwiseMath.EXACT).fused;
        MultiLayerNetwork rational = new Twins(sizes.configuration(), GradientState.CARRIED, PointwiseMath.RATIONAL).fused;
        DoublePrecision exact = new DoublePrecision(sizes, parameters(carried));
        for (int segment = 0; segment < 3; segment++) {
            INDArray x = sizes.oneHotInput(segment);
            INDArray y = sizes.labels(segment);
            String what = "segment " + segment;
            float[] expected = exact.gradient(x, y, null);
            double score = exact.loss(x, y, null) / sizes.batch;
            assertBlocksClose(carried, expected, gradient(carried, x, y), CLOSE, what);
            assertBlocksClose(carried, expected, gradient(rational, x, y), 2 * CLOSE, what + ", rational");
            float[] ofStock = gradient(twins.stock, x, y);
            assertBlocksClose(carried, ofStock, gradient(twins.fused, x, y), CLOSE, what + ", as stock");
            for (MultiLayerNetwork net : new MultiLayerNetwork[] {carried, rational, twins.stock, twins.fused}) {
                assertEquals(score, net.score(), CLOSE * score, what + ": the state is in the loss");
            }
            if (segment == 0) {
                assertBlocksClose(carried, expected, ofStock, CLOSE, "from a zero state, stock is right");
            } else {
                assertStockMisses(carried, expected, ofStock);
            }
        }
    }

    /** In the recurrent weights most of all, in the output layer not at all. */
    private static void assertStockMisses(MultiLayerNetwork net, float[] exact, float[] stock) {
        Map<String, float[]> expected = Twins.blocks(net, exact);
        Map<String, float[]> found = Twins.blocks(net, stock);
        for (int gate = 0; gate < 4; gate++) {
            String name = "0 RW " + new String[] {"block input", "forget", "output", "input"}[gate];
            assertTrue(furthest(expected.get(name), found.get(name)) > FAR * largest(expected.get(name)), name);
        }
    }

    @ParameterizedTest
    @EnumSource(GradientState.class)
    void theFieldSurvivesJson(GradientState gradientState) {
        Sizes sizes = new Sizes(2, 4, 4, 3, 3, 2);
        Twins twins = new Twins(sizes.configuration(), gradientState, PointwiseMath.EXACT);
        MultiLayerNetwork read = new MultiLayerNetwork(MultiLayerConfiguration.fromJson(
                twins.fused.getLayerWiseConfigurations().toJson()));
        read.init(twins.fused.params().dup(), false);
        MultiLayerNetwork clone = twins.fused.clone();
        for (int segment = 0; segment < 2; segment++) {
            INDArray x = sizes.oneHotInput(segment);
            INDArray y = sizes.labels(segment);
            float[] expected = gradient(twins.fused, x, y);
            assertClose(expected, gradient(read, x, y), 0, "read");
            assertClose(expected, gradient(clone, x, y), 0, "cloned");
        }
    }

    /** The same fault in a single layer: stock has the right gradient, but MultiLayerNetwork does not call it. */
    @ParameterizedTest
    @ValueSource(ints = {4, 3, 1})
    void stocksOwnTruncatedGradientIsTheCarriedOne(int backward) {
        Sizes sizes = new Sizes(3, 4, 4, 3, 3, 1);
        Twins twins = new Twins(sizes.configuration(), GradientState.CARRIED, PointwiseMath.EXACT);
        INDArray epsilon = gaussian(5, 3, 3, 4);
        float[][] results = new float[3][];
        for (int i = 0; i < 3; i++) {
            MultiLayerNetwork net = twins.both()[Math.min(i, 1)];
            net.initGradientsView();
            RecurrentLayer layer = (RecurrentLayer) net.getLayer(0);
            layer.rnnClearPreviousState();
            layer.rnnActivateUsingStoredState(sizes.oneHotInput(1), true, true, NO_WORKSPACES);
            layer.rnnSetPreviousState(layer.rnnGetTBPTTState());
            layer.rnnActivateUsingStoredState(sizes.oneHotInput(2), true, true, NO_WORKSPACES);
            if (i < 2) {
                layer.tbpttBackpropGradient(epsilon.dup(), backward, NO_WORKSPACES);
            } else {
                layer.backpropGradient(epsilon.dup(), NO_WORKSPACES);
            }
            results[i] = values(net.getFlattenedGradients());
        }
        assertBlocksClose(twins.stock, results[0], results[1], CLOSE, "truncated to " + backward);
        if (backward == sizes.steps) {
            assertBlocksClose(twins.stock, results[0], results[2], CLOSE, "carried");
        } else {
            assertTrue(furthest(results[0], results[2]) > FAR * largest(results[2]), "nothing was truncated");
        }
    }

    /**
     * A masked step has no output and forgets the cell. Carried follows that; stock passes the cell's gradient through
     * such steps, whatever the state.
     */
    @ParameterizedTest
    @CsvSource({"tail, 3", "head, 3", "hole, 3", "tail, 9", "hole, 9"})
    void carriedIsTheGradientUnderAMask(String kind, int batch) {
        Sizes sizes = new Sizes(batch, 8, 4, 3, 3, 2);
        INDArray mask = Nd4j.ones(DataType.FLOAT, batch, sizes.steps);
        for (int t : kind.equals("tail") ? new int[] {6, 7} : kind.equals("head") ? new int[] {0, 1} : new int[] {3, 4}) {
            mask.putScalar(1, t, 0);
            mask.putScalar(2, t, 0);
        }
        Twins twins = new Twins(sizes.configuration(), GradientState.CARRIED, PointwiseMath.EXACT);
        MultiLayerNetwork carried = twins.fused;
        DoublePrecision exact = new DoublePrecision(sizes, parameters(carried));
        for (int segment = 0; segment < 2; segment++) {
            INDArray x = sizes.oneHotInput(segment);
            INDArray y = sizes.labels(segment);
            for (int i = 0; i < sizes.layers; i++) {
                carried.getLayer(i).setMaskArray(mask);
                twins.stock.getLayer(i).setMaskArray(mask);
            }
            float[] expected = exact.gradient(x, y, mask);
            double score = exact.loss(x, y, mask) / batch;
            assertBlocksClose(carried, expected, gradient(carried, x, y), CLOSE, "segment " + segment);
            assertEquals(score, carried.score(), CLOSE * score);
            double missed = furthest(expected, gradient(twins.stock, x, y)) / largest(expected);
            assertTrue(missed > (segment == 0 && kind.equals("head") ? 0 : 1e-3), "stock misses " + missed);
        }
    }
}

@WithCell("lstm")
class GradientStateOfLstmTest extends GradientStateTest {}
