package dl4jbridge;

import static dl4jbridge.Fixtures.BATCH;
import static dl4jbridge.Fixtures.CLASSES;
import static dl4jbridge.Fixtures.HIDDEN;
import static dl4jbridge.Fixtures.TBPTT;
import static dl4jbridge.Fixtures.WINDOW;
import static dl4jbridge.Fixtures.assertBitEqual;
import static dl4jbridge.Fixtures.network;
import static dl4jbridge.Fixtures.parameters;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.Fixtures.Feeder;
import dl4jbridge.Fixtures.Recording;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class NetworkTest {
    private static final int BEFORE = 5;
    private static final int AFTER = 11;

    private final Feeder feeder = new Feeder();

    @TempDir
    Path folder;

    private static Arguments with(Object... settings) {
        return Arguments.of((Object) settings);
    }

    static Stream<Arguments> trainingSettings() {
        return Stream.of(
                with("updater", "adam"),
                with("updater", "rmsprop", "learning_rate", 0.002, "l2", 0.01),
                with("updater", "sgd", "learning_rate", 0.5, "clip", 0.05),
                with("updater", "adam", "clip", 0.05, "weight_decay", 0.001, "layers", 1),
                with("updater", "nesterovs", "init", "xavier", "layers", 3));
    }

    @ParameterizedTest
    @MethodSource("trainingSettings")
    void stepsOverTheSegmentsAreDl4jsFitOfTheWindow(Object[] settings) {
        Network network = network(settings);
        MultiLayerNetwork reference = Fixtures.dl4j(settings);
        float[] initial = parameters(reference);
        assertBitEqual(initial, parameters(network), "initialized from the same seed");
        for (int window = 0; window < 2; window++) {
            Recording recording = new Recording(window, WINDOW);
            reference.fit(recording.features(), recording.labels());
            for (int from = 0; from < WINDOW; from += TBPTT) {
                feeder.step(network, recording, from, 0);
            }
            assertBitEqual(parameters(reference), parameters(network), "after window " + window);
            assertEquals(reference.getIterationCount(), network.dl4j().getIterationCount());
        }
        assertEquals(6, network.dl4j().getIterationCount());
        assertFalse(Arrays.equals(initial, parameters(network)), "nothing was learned");
    }

    static Stream<Arguments> fusedSettings() {
        return Stream.of(
                with("updater", "adam"),
                with("updater", "adam", "clip", 0.05, "init", "wide"),
                with("updater", "adam", "dropout", 0.3, "init", "xavier"),
                with("updater", "sgd", "learning_rate", 0.1, "l2", 0.01, "clip", 0.05, "layers", 3),
                with("updater", "nesterovs", "weight_decay", 0.001, "init", "wide", "layers", 1),
                with("updater", "rmsprop", "learning_rate", 0.001, "l2", 0.01, "weight_decay", 0.001));
    }

    /** By every way to step, with stock's gradient; the state that is carried is compared too. */
    @ParameterizedTest
    @MethodSource("fusedSettings")
    void fusedLayersTrainAsStockOnes(Object[] settings) {
        Network stock = network(settings);
        Object[] fusedSettings = Arrays.copyOf(settings, settings.length + 2);
        System.arraycopy(new Object[] {"layer", "fused"}, 0, fusedSettings, settings.length, 2);
        Network fused = network(fusedSettings);
        float[] before = parameters(stock);
        assertBitEqual(before, parameters(fused), "initial parameters");
        // As a seed, 0 is the clock.
        feeder.steps(stock, 1, AFTER);
        feeder.steps(fused, 1, AFTER);
        assertArrayEquals(parameters(stock), parameters(fused), 1e-5f, "parameters");
        assertFalse(Arrays.equals(before, parameters(stock)), "nothing was learned");
        for (Map.Entry<String, Tensor> e : stock.state().entrySet()) {
            assertArrayEquals(e.getValue().array().data().asFloat(),
                    fused.state().get(e.getKey()).array().data().asFloat(), 2e-5f, e.getKey());
        }
    }

    /** With a listener besides our own, DL4J runs a step layer by layer; otherwise all layers run at once. */
    @ParameterizedTest
    @ValueSource(strings = {"adam", "sgd"})
    void aListenerChangesNothingAndSeesEveryStep(String updater) {
        Object[] settings = {"layer", "fused", "gradient_state", "carried", "clip", 0.5, "updater", updater};
        Network alone = network(settings);
        Network listenedTo = network(settings);
        AtomicInteger seen = new AtomicInteger();
        listenedTo.dl4j().addListeners(new BaseTrainingListener() {
            @Override
            public void onBackwardPass(Model model) {
                seen.incrementAndGet();
            }
        });
        for (int window = 0; window < 3; window++) {
            Recording recording = new Recording(window, WINDOW);
            for (int from = 0; from < WINDOW; from += TBPTT) {
                double[] expected = feeder.step(listenedTo, recording, from, 0);
                assertArrayEquals(expected, feeder.step(alone, recording, from, 0), 1e-6, "loss and accuracy");
            }
            assertArrayEquals(parameters(listenedTo), parameters(alone), 1e-6f, "after window " + window);
        }
        assertEquals(9, seen.get());
        assertEquals(9, alone.dl4j().getIterationCount());
    }

    @Test
    void whatLiesAfterTheStepsThatCountIsIgnored() {
        Network clean = network();
        Network dirty = network();
        Recording recording = new Recording(1, 3);
        feeder.step(clean, recording, 0, 0);
        feeder.steps(network(), 0, 1);
        feeder.step(dirty, recording, 0, 0);
        assertBitEqual(parameters(clean), parameters(dirty), "parameters");
    }

    static Stream<Arguments> monitoredSettings() {
        return Stream.of(
                with("learning_rate", 0.03),
                with("learning_rate", 0.03, "l2", 0.02),
                with("learning_rate", 0.03, "weight_decay", 0.001, "layers", 1));
    }

    @ParameterizedTest
    @MethodSource("monitoredSettings")
    void stepReturnsLossAndAccuracyOfTheParametersBeforeTheUpdate(Object[] settings) {
        Network network = network(settings);
        feeder.steps(network, 0, 90);
        Recording recording = new Recording(1000, WINDOW);
        MultiLayerNetwork before = null;
        for (int from = 0; from < WINDOW; from += TBPTT) {
            int to = Math.min(from + TBPTT, WINDOW);
            MultiLayerNetwork now = copyWithStateOf(network.dl4j(), before);
            INDArray probabilities = now.rnnTimeStep(recording.features()
                    .get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(from, to)));
            double[] lossAndAccuracy = feeder.step(network, recording, from, 0);
            double[] expected = lossAndAccuracy(probabilities, recording.targets, from, to);
            assertTrue(expected[1] > 0 && expected[1] < 1, "an accuracy of " + expected[1] + " would show little");
            assertArrayEquals(expected, lossAndAccuracy, 1e-5, "samples " + from + " to " + to);
            before = now;
        }
    }

    /** A twin of the parameters; its state is what the other left after its segment, none if there was no other. */
    private static MultiLayerNetwork copyWithStateOf(MultiLayerNetwork net, MultiLayerNetwork before) {
        MultiLayerNetwork copy = new MultiLayerNetwork(net.getLayerWiseConfigurations().clone());
        copy.init(net.params().dup(), false);
        for (int i = 0; before != null && i < copy.getnLayers() - 1; i++) {
            copy.rnnSetPreviousState(i, before.rnnGetPreviousState(i));
        }
        return copy;
    }

    private static double[] lossAndAccuracy(INDArray probabilities, int[][] targets, int from, int to) {
        double loss = 0;
        double hits = 0;
        for (int row = 0; row < BATCH; row++) {
            for (int t = from; t < to; t++) {
                int best = 0;
                for (int k = 1; k < CLASSES; k++) {
                    if (probabilities.getDouble(row, k, t - from) > probabilities.getDouble(row, best, t - from)) {
                        best = k;
                    }
                }
                loss -= Math.log(probabilities.getDouble(row, targets[row][t], t - from));
                hits += best == targets[row][t] ? 1 : 0;
            }
        }
        int samples = BATCH * (to - from);
        return new double[] {loss / samples, hits / samples};
    }

    static Stream<Arguments> resumedSettings() {
        return Stream.of(
                with("updater", "adam"),
                with("updater", "adam", "dropout", 0.3),
                with("updater", "rmsprop", "l2", 0.01, "clip", 0.1),
                with("layer", "fused", "gradient_state", "carried"),
                with("layer", "fused", "gradient_state", "carried", "dropout", 0.3, "clip", 0.1),
                with("layer", "fused", "gradient_state", "carried", "updater", "rmsprop", "weight_decay", 0.001));
    }

    @ParameterizedTest
    @MethodSource("resumedSettings")
    void aResumedRunIsTheUninterruptedOne(Object[] settings) throws IOException {
        Network uninterrupted = network(settings);
        feeder.steps(uninterrupted, 0, BEFORE);
        Network resumed = reload(uninterrupted, true, settings);
        restore(resumed, uninterrupted.state());
        assertSameContinuation(uninterrupted, resumed);
    }

    @Test
    void aLearningRateSetBeforeSavingIsSaved() throws IOException {
        Network uninterrupted = network();
        feeder.steps(uninterrupted, 0, BEFORE - 2);
        uninterrupted.setLearningRate(0.003);
        feeder.steps(uninterrupted, BEFORE - 2, BEFORE);
        Network resumed = reload(uninterrupted, true, "learning_rate", 0.003);
        File saved = folder.resolve("model.zip").toFile();
        assertEquals(0.003, MultiLayerNetwork.load(saved, true).getLearningRate(0));
        restore(resumed, uninterrupted.state());
        assertSameContinuation(uninterrupted, resumed);
    }

    @Test
    void aLearningRateSetAfterLoadingActsAsOnTheRunningNetwork() throws IOException {
        Network uninterrupted = network();
        feeder.steps(uninterrupted, 0, BEFORE);
        Network resumed = reload(uninterrupted, true);
        restore(resumed, uninterrupted.state());
        uninterrupted.setLearningRate(0.003);
        resumed.setLearningRate(0.003);
        assertSameContinuation(uninterrupted, resumed);
    }

    @Test
    void stateAndUpdaterBothMatterToTheContinuation() throws IOException {
        Network uninterrupted = network();
        feeder.steps(uninterrupted, 0, BEFORE);
        Network withoutState = reload(uninterrupted, true);
        Network withoutUpdater = reload(uninterrupted, false);
        restore(withoutUpdater, uninterrupted.state());
        assertBitEqual(parameters(uninterrupted), parameters(withoutUpdater), "loaded parameters");
        for (Network network : new Network[] {uninterrupted, withoutState, withoutUpdater}) {
            feeder.steps(network, BEFORE, BEFORE + 1);
        }
        assertFalse(Arrays.equals(parameters(uninterrupted), parameters(withoutState)), "without state");
        assertFalse(Arrays.equals(parameters(uninterrupted), parameters(withoutUpdater)), "without updater");
    }

    private Network reload(Network network, boolean withUpdater, Object... settings) throws IOException {
        String path = folder.resolve("model.zip").toString();
        network.save(path, withUpdater);
        return Fixtures.restored(path, settings);
    }

    private static void restore(Network network, Map<String, Tensor> state) {
        state.forEach(network::restoreState);
    }

    private void assertSameContinuation(Network expected, Network actual) {
        assertBitEqual(parameters(expected), parameters(actual), "loaded parameters");
        float[] loaded = parameters(expected);
        feeder.steps(expected, BEFORE, AFTER);
        feeder.steps(actual, BEFORE, AFTER);
        assertFalse(Arrays.equals(loaded, parameters(expected)), "nothing happened");
        assertBitEqual(parameters(expected), parameters(actual), "parameters after more steps");
        assertEquals(expected.dl4j().getIterationCount(), actual.dl4j().getIterationCount());
    }

    @Test
    void dl4jReadsTheZipAndFindsItsOwnLayers() throws IOException {
        Network network = network();
        feeder.steps(network, 0, 2);
        String path = folder.resolve("model.zip").toString();
        network.save(path, false);
        MultiLayerNetwork read = MultiLayerNetwork.load(new File(path), false);
        assertBitEqual(parameters(network), parameters(read), "parameters");
        for (int i = 0; i < 2; i++) {
            assertSame(Fixtures.cell.stock(),
                    read.getLayerWiseConfigurations().getConf(i).getLayer().getClass());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"adam", "rmsprop", "nesterovs", "adagrad", "sgd"})
    void settingTheLearningRateIsDl4jsOwn(String updater) {
        Network network = network("updater", updater);
        MultiLayerNetwork reference = Fixtures.dl4j("updater", updater);
        for (int window = 0; window < 2; window++) {
            double rate = 0.002 + 0.003 * window;
            reference.setLearningRate(rate);
            network.setLearningRate(rate);
            Recording recording = new Recording(window, WINDOW);
            reference.fit(recording.features(), recording.labels());
            for (int from = 0; from < WINDOW; from += TBPTT) {
                feeder.step(network, recording, from, 0);
            }
            assertBitEqual(parameters(reference), parameters(network), "after window " + window);
        }
    }

    @Test
    void theNextUpdateHasTheNewLearningRate() {
        Network slow = network("updater", "sgd", "learning_rate", 0.1);
        Network fast = network("updater", "sgd", "learning_rate", 0.1);
        feeder.steps(slow, 0, BEFORE);
        feeder.steps(fast, 0, BEFORE);
        float[] before = parameters(slow);
        fast.setLearningRate(0.4);
        feeder.steps(slow, BEFORE, BEFORE + 1);
        feeder.steps(fast, BEFORE, BEFORE + 1);
        INDArray slowly = slow.dl4j().params().sub(Nd4j.createFromArray(before).reshape(1, -1));
        INDArray quickly = fast.dl4j().params().sub(Nd4j.createFromArray(before).reshape(1, -1));
        double quick = quickly.norm2Number().doubleValue();
        assertTrue(quick > 1e-3, "nothing happened");
        assertEquals(0, quickly.sub(slowly.mul(4)).norm2Number().doubleValue(), 1e-4 * quick);

        slow.setLearningRate(0);
        before = parameters(slow);
        feeder.steps(slow, BEFORE + 1, BEFORE + 2);
        assertBitEqual(before, parameters(slow), "at rate 0");
    }

    @Test
    void theSeedOfAStepAloneDecidesOverItsDropout() {
        float[][] after = new float[3][];
        for (int i = 0; i < after.length; i++) {
            Network network = network("dropout", 0.5);
            Nd4j.rand(1, 10 + i);
            feeder.step(network, new Recording(0, TBPTT), 0, i < 2 ? 7 : 8);
            after[i] = parameters(network);
        }
        assertBitEqual(after[0], after[1], "same seed");
        assertFalse(Arrays.equals(after[0], after[2]), "another seed");
    }

    @Test
    void stateIsACopyOfWhatEachLayerCarries() {
        Network network = network();
        assertTrue(network.state().isEmpty());
        feeder.steps(network, 0, 1);
        Map<String, Tensor> state = network.state();
        assertEquals(Set.of("0/prevAct", "0/prevMem", "1/prevAct", "1/prevMem"), state.keySet());
        Map<String, float[]> then = new HashMap<>();
        for (String key : state.keySet()) {
            assertArrayEquals(new long[] {BATCH, HIDDEN}, state.get(key).shape());
            then.put(key, state.get(key).array().data().asFloat());
            state.get(key).array().assign(0);
            assertFalse(Arrays.equals(new float[BATCH * HIDDEN], then.get(key)), key + " is zero");
            assertArrayEquals(then.get(key), network.state().get(key).array().data().asFloat(), key);
        }
        state = network.state();
        feeder.steps(network, 1, 2);
        for (String key : state.keySet()) {
            assertArrayEquals(then.get(key), state.get(key).array().data().asFloat(), key);
            assertFalse(Arrays.equals(then.get(key), network.state().get(key).array().data().asFloat()), key);
        }
    }

    @Test
    void theParameterVectorIsACopy() {
        Network network = network();
        float[] before = parameters(network);
        Tensor vector = network.parameterVector();
        assertArrayEquals(before, vector.array().data().asFloat());
        vector.array().assign(0);
        assertArrayEquals(before, parameters(network));
    }

    @Test
    void countsItsParameters() {
        int recurrent = HIDDEN * (4 * HIDDEN + (Fixtures.cell.hasPeepholes() ? 3 : 0));
        int first = CLASSES * 4 * HIDDEN + recurrent + 4 * HIDDEN;
        int second = HIDDEN * 4 * HIDDEN + recurrent + 4 * HIDDEN;
        assertEquals(first + second + HIDDEN * CLASSES + CLASSES, network().parameters());
    }

    static Stream<Arguments> settingsOfBothHalves() {
        return Stream.concat(trainingSettings(), Stream.of(
                with("layer", "fused", "gradient_state", "carried", "clip", 0.05, "neighbours", 0.5),
                with("layer", "fused", "gradient_state", "carried", "dropout", 0.3),
                with("layer", "fused", "gradient_state", "carried", "updater", "rmsprop", "clip", 0.05, "l2", 0.01)));
    }

    @ParameterizedTest
    @MethodSource("settingsOfBothHalves")
    void aGradientAndAnUpdateOfAnotherNetworkAreAStep(Object[] settings) {
        Network together = network(settings);
        Network computing = network(settings);
        Network updated = network(settings);
        for (int i = 0; i < 6; i++) {
            Recording recording = new Recording(i / 3, WINDOW);
            int from = i % 3 * TBPTT;
            double[] expected = feeder.step(together, recording, from, i + 1);
            computing.liveParameters().array().assign(updated.liveParameters().array());
            assertArrayEquals(expected, feeder.computeGradient(computing, recording, from, i + 1), 1e-6);
            updated.gradient().array().assign(computing.gradient().array());
            updated.update(BATCH);
            assertArrayEquals(parameters(together), parameters(updated), 1e-6f, "after step " + i);
        }
        assertEquals(6, updated.dl4j().getIterationCount());
        Tensor state = updated.liveUpdaterState();
        if (state != null) {
            INDArray wanted = together.liveUpdaterState().array();
            assertArrayEquals(wanted.dup().data().asFloat(), state.array().dup().data().asFloat(), 1e-6f);
        }
    }

    @Test
    void anUpdateWantsTheNumberOfRecordings() {
        assertThrows(IllegalArgumentException.class, () -> network().update(0));
    }
}

@WithCell("lstm")
class NetworkOfLstmTest extends NetworkTest {
}
