package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.assertClose;
import static dl4jbridge.fused.Twins.furthest;
import static dl4jbridge.fused.Twins.gaussian;
import static dl4jbridge.fused.Twins.parameters;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.layers.IOutputLayer;
import org.deeplearning4j.nn.api.layers.RecurrentLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;

/**
 * The record of a forward pass in training is used once and dropped by any other forward pass, clear() or change of the
 * state; without one, the backward pass repeats the forward pass. So whatever happens in between, the gradient is that
 * of the layer's current input from the right state: bit for bit that of a layer which has done nothing else.
 */
class RecordTest {
    private static final LayerWorkspaceMgr NO_WORKSPACES = LayerWorkspaceMgr.noWorkspaces();
    private static final Sizes MANY = new Sizes(7, 10, 6, 5, 7, 1);
    private static final Sizes FEW = new Sizes(3, 4, 6, 5, 7, 1);

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    /** One layer in use, compared with a layer without a past. */
    private static final class Bench {
        final Sizes sizes;
        final MultiLayerNetwork net;
        final FusedRecurrentLayer layer;
        final INDArray a;
        final INDArray b;
        final INDArray epsilon;
        final Map<String, INDArray> state;
        final Map<String, INDArray> otherState;

        Bench(Sizes sizes, GradientState gradientState) {
            this(sizes, new Twins(sizes.configuration(), gradientState, PointwiseMath.RATIONAL).fused);
        }

        private Bench(Sizes sizes, MultiLayerNetwork net) {
            this.sizes = sizes;
            this.net = net;
            net.initGradientsView();
            layer = (FusedRecurrentLayer) net.getLayer(0);
            a = sizes.oneHotInput(1);
            b = sizes.denseInput(2);
            epsilon = gaussian(3, sizes.batch, sizes.hidden, sizes.steps);
            state = state(4);
            otherState = state(6);
        }

        private Map<String, INDArray> state(long seed) {
            Map<String, INDArray> state = new HashMap<>();
            state.put("prevAct", gaussian(seed, sizes.batch, sizes.hidden));
            state.put("prevMem", gaussian(seed + 1, sizes.batch, sizes.hidden));
            return state;
        }

        /** A forward pass in training, from the state that is set. */
        INDArray train(INDArray x) {
            return layer.rnnActivateUsingStoredState(x, true, true, NO_WORKSPACES);
        }

        void setInput(INDArray x) {
            layer.setInput(x, NO_WORKSPACES);
        }

        /** All gradients of the layer, the input's in front. */
        float[] backward() {
            net.getFlattenedGradients().assign(Float.NaN);
            INDArray below = layer.backpropGradient(epsilon.dup(), NO_WORKSPACES).getSecond();
            return values(Nd4j.concat(0, below.dup('f').reshape(below.length()),
                    layer.getGradientsViewArray().dup().reshape(layer.numParams())));
        }

        float[] fresh(INDArray x, Map<String, INDArray> from) {
            return fresh(x, from, bench -> { });
        }

        float[] fresh(INDArray x, Map<String, INDArray> from, Consumer<Bench> before) {
            MultiLayerNetwork copy = new MultiLayerNetwork(net.getLayerWiseConfigurations().clone());
            copy.init(net.params().dup(), false);
            Bench bench = new Bench(sizes, copy);
            before.accept(bench);
            bench.layer.rnnSetPreviousState(from);
            bench.train(x);
            return bench.backward();
        }
    }

    private static Arguments meanwhile(String name, Consumer<Bench> action) {
        return Arguments.of(name, action);
    }

    static Stream<Arguments> whatDoesNotMatter() {
        return Stream.of(
                meanwhile("nothing", bench -> { }),
                meanwhile("the backward pass itself", bench -> bench.backward()),
                meanwhile("the backward pass, twice", bench -> assertArrayEquals(bench.backward(), bench.backward())),
                meanwhile("an output of the same input", bench -> bench.layer.activate(bench.a, false, NO_WORKSPACES)),
                meanwhile("an output of the input that is set", bench -> bench.layer.activate(false, NO_WORKSPACES)),
                meanwhile("an output of another input", bench -> {
                    bench.layer.activate(bench.b, false, NO_WORKSPACES);
                    bench.setInput(bench.a);
                }),
                meanwhile("an output of another batch and length", bench -> {
                    bench.layer.activate(Twins.oneHot(1, 2, 6, 3), false, NO_WORKSPACES);
                    bench.setInput(bench.a);
                }),
                meanwhile("a time step, which moves the state", bench -> {
                    bench.layer.rnnTimeStep(bench.b, NO_WORKSPACES);
                    bench.setInput(bench.a);
                }),
                meanwhile("a stateful output", bench -> {
                    bench.layer.rnnActivateUsingStoredState(bench.b, false, false, NO_WORKSPACES);
                    bench.setInput(bench.a);
                }),
                meanwhile("clear", bench -> {
                    bench.layer.clear();
                    bench.setInput(bench.a);
                }),
                meanwhile("an input that was refused", bench -> {
                    assertThrows(RuntimeException.class,
                            () -> bench.layer.activate(Twins.oneHot(1, 2, 9, 3), false, NO_WORKSPACES));
                    bench.setInput(bench.a);
                }),
                meanwhile("the same state, set again", bench -> bench.layer.rnnSetPreviousState(bench.state)),
                meanwhile("stock's truncated gradient", bench ->
                        bench.layer.tbpttBackpropGradient(bench.epsilon.dup(), 2, NO_WORKSPACES)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("whatDoesNotMatter")
    void theGradientIsThatOfTheForwardPassWhateverHappensMeanwhile(String name, Consumer<Bench> action) {
        for (Sizes sizes : new Sizes[] {MANY, FEW}) {
            for (GradientState gradientState : GradientState.values()) {
                Bench bench = new Bench(sizes, gradientState);
                float[] expected = bench.fresh(bench.a, bench.state);
                assertTrue(furthest(expected, bench.fresh(bench.b, bench.state)) > 0.1);
                boolean carried = gradientState == GradientState.CARRIED;
                assertEquals(carried, furthest(expected, bench.fresh(bench.a, bench.otherState)) > 0.1);
                bench.layer.rnnSetPreviousState(bench.state);
                bench.train(bench.a);
                action.accept(bench);
                assertArrayEquals(expected, bench.backward(), gradientState + ", " + sizes);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(GradientState.class)
    void threadsMayComeAndGo(GradientState gradientState) {
        for (int[] threads : new int[][] {{1, 2}, {2, 1}, {2, 9}}) {
            Bench bench = new Bench(MANY, gradientState);
            float[] expected = bench.fresh(bench.a, bench.state);
            Workers.setThreads(threads[0]);
            bench.layer.rnnSetPreviousState(bench.state);
            bench.train(bench.a);
            Workers.setThreads(threads[1]);
            assertClose(expected, bench.backward(), 1e-5, "with a record");
            assertClose(expected, bench.backward(), 1e-5, "without");
        }
    }

    @Test
    void theLastForwardPassInTrainingCounts() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.train(bench.b);
        assertArrayEquals(bench.fresh(bench.b, bench.state), bench.backward());
        bench.train(bench.a);
        bench.layer.activate(bench.b, true, NO_WORKSPACES);
        assertArrayEquals(bench.fresh(bench.b, new HashMap<>()), bench.backward(), "activate knows no state");
        assertArrayEquals(bench.fresh(bench.b, new HashMap<>()), bench.backward(), "repeated");
    }

    @Test
    void aStateThatTimeStepsLeftIsTheStateOfTheGradient() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnTimeStep(bench.b, NO_WORKSPACES);
        Map<String, INDArray> state = bench.layer.rnnGetPreviousState();
        bench.train(bench.a);
        assertArrayEquals(bench.fresh(bench.a, state), bench.backward());
        assertArrayEquals(bench.fresh(bench.a, state), bench.backward(), "repeated");
    }

    @Test
    void aBackwardPassAfterAnOutputIsThatOfTheOutputsInput() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.layer.activate(bench.b, false, NO_WORKSPACES);
        assertArrayEquals(bench.fresh(bench.b, bench.state), bench.backward());
    }

    /** Shown by overwriting the input: the record does not depend on it, a repeated forward pass does. */
    @ParameterizedTest
    @EnumSource(GradientState.class)
    void theRecordIsUsedOnce(GradientState gradientState) {
        Bench bench = new Bench(MANY, gradientState);
        float[] first = bench.fresh(bench.a, new HashMap<>());
        bench.train(bench.a);
        bench.a.assign(MANY.oneHotInput(9));
        assertArrayEquals(first, bench.backward(), "no record");
        assertArrayEquals(bench.fresh(bench.a, new HashMap<>()), bench.backward(), "the same record once more");
    }

    @Test
    void clearForgetsTheRecord() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.layer.clear();
        bench.a.assign(MANY.oneHotInput(9));
        bench.setInput(bench.a);
        assertArrayEquals(bench.fresh(bench.a, bench.state), bench.backward());
    }

    @Test
    void anotherStateIsTheStateOfTheGradient() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.layer.rnnSetPreviousState(bench.otherState);
        assertArrayEquals(bench.fresh(bench.a, bench.otherState), bench.backward());
        bench.train(bench.a);
        bench.layer.rnnClearPreviousState();
        assertArrayEquals(bench.fresh(bench.a, new HashMap<>()), bench.backward());
    }

    @Test
    void aBackwardPassWithoutAnyForwardPassIsFromZero() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.setInput(bench.a);
        assertArrayEquals(bench.fresh(bench.a, new HashMap<>()), bench.backward());
    }

    /** An input set between the two passes takes effect, as in stock, which repeats the forward pass. */
    @Test
    void anotherInputIsTheInputOfTheGradient() {
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.setInput(bench.b);
        assertArrayEquals(bench.fresh(bench.b, bench.state), bench.backward());
    }

    @Test
    void anotherMaskIsTheMaskOfTheGradient() {
        INDArray mask = Nd4j.ones(DataType.FLOAT, MANY.batch, MANY.steps);
        mask.putScalar(1, 3, 0);
        Bench bench = new Bench(MANY, GradientState.CARRIED);
        bench.layer.rnnSetPreviousState(bench.state);
        bench.train(bench.a);
        bench.layer.setMaskArray(mask);
        assertArrayEquals(bench.fresh(bench.a, bench.state, fresh -> fresh.layer.setMaskArray(mask)), bench.backward());
        bench.train(bench.a);
        bench.layer.setMaskArray(null);
        assertArrayEquals(bench.fresh(bench.a, bench.state), bench.backward(), "none any more");
    }

    @Test
    void theGradientOfOneOfTwoLayersLeavesTheOtherAlone() {
        Sizes sizes = new Sizes(7, 10, 6, 6, 7, 2);
        MultiLayerNetwork net = new Twins(sizes.configuration(), GradientState.CARRIED, PointwiseMath.EXACT).fused;
        net.initGradientsView();
        INDArray epsilon = gaussian(3, sizes.batch, sizes.hidden, sizes.steps);
        INDArray[] x = {sizes.oneHotInput(1), sizes.denseInput(2)};
        float[][] expected = new float[2][];
        for (int i = 0; i < 2; i++) {
            ((RecurrentLayer) net.getLayer(i)).rnnActivateUsingStoredState(x[i], true, true, NO_WORKSPACES);
            expected[i] = values(net.getLayer(i).backpropGradient(epsilon.dup(), NO_WORKSPACES).getSecond());
        }
        for (int i = 0; i < 2; i++) {
            ((RecurrentLayer) net.getLayer(i)).rnnActivateUsingStoredState(x[i], true, true, NO_WORKSPACES);
        }
        for (int i = 0; i < 2; i++) {
            INDArray below = net.getLayer(i).backpropGradient(epsilon.dup(), NO_WORKSPACES).getSecond();
            assertArrayEquals(expected[i], values(below));
        }
    }

    /** Trains segment by segment, and uses the network in other ways in between. */
    @ParameterizedTest
    @EnumSource(GradientState.class)
    void trainingIsNotDisturbedByUsingTheNetworkMeanwhile(GradientState gradientState) {
        Sizes sizes = new Sizes(7, 10, 6, 5, 7, 2);
        Twins twins = new Twins(sizes.configuration(), gradientState, PointwiseMath.EXACT);
        MultiLayerNetwork alone = twins.fused;
        MultiLayerNetwork busy = twins.fused.clone();
        for (int segment = 0; segment < 6; segment++) {
            INDArray x = sizes.oneHotInput(segment);
            INDArray y = sizes.labels(segment);
            for (MultiLayerNetwork net : new MultiLayerNetwork[] {alone, busy}) {
                net.params().subi(Nd4j.createFromArray(Twins.gradient(net, x, y)).muli(0.05).reshape(net.params().shape()));
            }
            use(busy, sizes);
        }
        assertArrayEquals(parameters(alone), parameters(busy));
    }

    private static void use(MultiLayerNetwork net, Sizes sizes) {
        net.output(sizes.denseInput(9));
        net.feedForward(Twins.oneHot(1, 2, 6, 3), true);
        net.score(new DataSet(sizes.oneHotInput(8), sizes.labels(8)));
        Map<String, INDArray> first = net.rnnGetPreviousState(0);
        Map<String, INDArray> second = net.rnnGetPreviousState(1);
        net.rnnTimeStep(sizes.denseInput(7));
        net.rnnSetPreviousState(0, first);
        net.rnnSetPreviousState(1, second);
        net.calculateGradients(sizes.oneHotInput(6), sizes.labels(6), null, null);
    }

    private static Arguments meanwhileAtTheOutput(String name, Consumer<IOutputLayer> action) {
        return Arguments.of(name, action);
    }

    static Stream<Arguments> whatChangesTheScore() {
        Sizes sizes = MANY;
        return Stream.of(
                meanwhileAtTheOutput("nothing", layer -> { }),
                meanwhileAtTheOutput("the score itself", layer -> layer.computeScore(1, true, NO_WORKSPACES)),
                meanwhileAtTheOutput("other labels", layer -> layer.setLabels(sizes.labels(2))),
                meanwhileAtTheOutput("another input", layer -> layer.setInput(hidden(2), NO_WORKSPACES)),
                meanwhileAtTheOutput("an output", layer -> layer.activate(hidden(2), false, NO_WORKSPACES)),
                meanwhileAtTheOutput("a mask", layer ->
                        layer.setMaskArray(Nd4j.ones(DataType.FLOAT, sizes.batch, sizes.steps).putScalar(1, 2, 0))));
    }

    /** What a recurrent layer may give to the output layer. */
    private static INDArray hidden(long seed) {
        return gaussian(seed, MANY.batch, MANY.hidden, MANY.steps);
    }

    /** The output layer's score is known from its backward pass, but only of what that pass saw. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("whatChangesTheScore")
    void theScoreIsThatOfThePresentInputAndLabels(String name, Consumer<IOutputLayer> action) {
        Twins twins = Twins.exact(MANY.configuration());
        double[] before = new double[2];
        double[] after = new double[2];
        for (int side = 0; side < 2; side++) {
            MultiLayerNetwork net = twins.both()[side];
            net.initGradientsView();
            IOutputLayer layer = (IOutputLayer) net.getOutputLayer();
            INDArray x = hidden(1);
            layer.setInput(x, NO_WORKSPACES);
            layer.setLabels(MANY.labels(1));
            layer.backpropGradient(null, NO_WORKSPACES);
            before[side] = layer.computeScore(0, true, NO_WORKSPACES);
            layer.backpropGradient(null, NO_WORKSPACES);
            action.accept(layer);
            after[side] = layer.computeScore(1, true, NO_WORKSPACES);
        }
        assertEquals(before[0], before[1], 1e-6 * before[0], "score");
        assertEquals(after[0], after[1], 1e-6 * after[0], "score after " + name);
        boolean same = name.equals("nothing") || name.equals("the score itself");
        assertEquals(same, Math.abs(after[0] - 1 - before[0]) < 1e-4, "nothing changed");
    }

    @Test
    void accuracyIsThatOfTheLastBackwardPass() {
        Sizes sizes = new Sizes(7, 10, 6, 5, 7, 1);
        MultiLayerNetwork net = Twins.exact(sizes.configuration()).fused;
        FusedRnnOutputLayer output = (FusedRnnOutputLayer) net.getOutputLayer();
        assertTrue(Double.isNaN(output.accuracy()));
        for (int segment = 0; segment < 3; segment++) {
            INDArray x = sizes.oneHotInput(segment);
            INDArray y = sizes.labels(segment);
            net.rnnClearPreviousState();
            double expected = net.output(x).argMax(1).eq(y.argMax(1)).castTo(DataType.FLOAT).meanNumber().doubleValue();
            assertTrue(expected > 0 && expected < 1);
            Twins.gradient(net, x, y);
            assertEquals(expected, output.accuracy(), 1e-6);
        }
        Twins.gradient(net, sizes.oneHotInput(0), sizes.labels(0).mul(0.5));
        assertTrue(Double.isNaN(output.accuracy()), "not counted with soft labels");
    }

    /** What only this project's own training may switch off. */
    @Test
    void onlyTheFirstLayerLeavesItsInputGradientOut() {
        Sizes sizes = new Sizes(7, 10, 6, 6, 7, 2);
        Twins twins = Twins.exact(sizes.configuration());
        float[] expected = Twins.gradient(twins.fused.clone(), sizes.oneHotInput(1), sizes.labels(1));
        for (int i = 0; i < 2; i++) {
            ((FusedRecurrentLayer) twins.fused.getLayer(i)).setInputGradientUnused(true);
        }
        assertArrayEquals(expected, Twins.gradient(twins.fused, sizes.oneHotInput(1), sizes.labels(1)));
        Pair<?, INDArray> pair = twins.fused.calculateGradients(sizes.oneHotInput(1), sizes.labels(1), null, null);
        assertEquals(null, pair.getSecond());
        ((FusedRecurrentLayer) twins.fused.getLayer(0)).setInputGradientUnused(false);
        pair = twins.fused.calculateGradients(sizes.oneHotInput(1), sizes.labels(1), null, null);
        assertArrayEquals(sizes.oneHotInput(1).shape(), pair.getSecond().shape());
    }
}

@WithCell("lstm")
class RecordOfLstmTest extends RecordTest {}
