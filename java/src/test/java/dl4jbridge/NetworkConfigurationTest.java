package dl4jbridge;

import static dl4jbridge.Fixtures.HIDDEN;
import static dl4jbridge.Fixtures.TBPTT;
import static dl4jbridge.Fixtures.assertBitEqual;
import static dl4jbridge.Fixtures.dl4j;
import static dl4jbridge.Fixtures.lines;
import static dl4jbridge.Fixtures.network;
import static dl4jbridge.Fixtures.parameters;
import static dl4jbridge.Fixtures.settings;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.Fixtures.Feeder;
import dl4jbridge.Fixtures.Recording;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.dropout.Dropout;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.AdaGrad;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.learning.regularization.L2Regularization;
import org.nd4j.linalg.learning.regularization.Regularization;
import org.nd4j.linalg.learning.regularization.WeightDecay;

class NetworkConfigurationTest {
    private static MultiLayerConfiguration configuration(Object... changes) {
        return NetworkConfiguration.of(NetworkSettings.parse(lines(settings(changes))));
    }

    private static BaseLayer layer(MultiLayerConfiguration configuration, int index) {
        return (BaseLayer) configuration.getConf(index).getLayer();
    }

    /** 2 and 3 percent are more than three standard errors at these sizes. */
    private static void assertDeviation(double expected, INDArray a, String what) {
        assertEquals(expected, a.stdNumber().doubleValue(), 0.02 * expected, what);
        assertEquals(0, a.meanNumber().doubleValue(), 0.03 * expected, what);
    }

    @ParameterizedTest
    @CsvSource({"wide, true, 2", "one-hot, true, 1", "xavier, false, 1"})
    void initDecidesTheWeightsThatDoNotRecur(String init, boolean unitInput, int above) {
        int inputs = 256;
        int hidden = 64;
        MultiLayerNetwork net = dl4j("inputs", inputs, "outputs", inputs, "hidden", hidden, "init", init);
        // DL4J's XAVIER of an LSTM: fan-in is the layer's size, fan-out that and its inputs.
        double first = Math.sqrt(2.0 / (hidden + inputs + hidden));
        double second = Math.sqrt(2.0 / (hidden + hidden + hidden));
        assertDeviation(unitInput ? 1 : first, net.getParam("0_W"), "0_W");
        assertDeviation(first, net.getParam("0_RW"), "0_RW");
        assertDeviation(above * second, net.getParam("1_W"), "1_W");
        assertDeviation(second, net.getParam("1_RW"), "1_RW");
        assertDeviation(above * Math.sqrt(2.0 / (hidden + inputs)), net.getParam("2_W"), "2_W");
    }

    @Test
    void theForgetGateStartsOpen() {
        MultiLayerNetwork net = dl4j();
        for (int i = 0; i < 2; i++) {
            INDArray bias = net.getParam(i + "_b").reshape(4 * HIDDEN);
            assertEquals(HIDDEN, bias.get(NDArrayIndex.interval(HIDDEN, 2 * HIDDEN)).eq(1).castTo(bias.dataType())
                    .sumNumber().intValue());
            assertEquals(HIDDEN, bias.sumNumber().intValue());
        }
        assertEquals(0, net.getParam("2_b").norm1Number().doubleValue());
    }

    @Test
    void theSeedDecidesTheWeights() {
        assertBitEqual(parameters(dl4j("seed", 1)), parameters(dl4j("seed", 1)), "same seed");
        assertFalse(Arrays.equals(parameters(dl4j("seed", 1)), parameters(dl4j("seed", 2))), "another seed");
    }

    @Test
    void theSizesAreThoseOfTheSettings() {
        MultiLayerNetwork net = dl4j("inputs", 5, "outputs", 7, "hidden", 4, "layers", 3);
        assertEquals(4, net.getnLayers());
        assertArrayEquals(new long[] {5, 16}, net.getParam("0_W").shape());
        assertArrayEquals(new long[] {4, Fixtures.cell.hasPeepholes() ? 19 : 16}, net.getParam("0_RW").shape());
        assertArrayEquals(new long[] {4, 16}, net.getParam("2_W").shape());
        assertArrayEquals(new long[] {4, 7}, net.getParam("3_W").shape());
    }

    @Test
    void trainsBySegments() {
        MultiLayerConfiguration configuration = configuration("tbptt", 13);
        assertEquals(BackpropType.TruncatedBPTT, configuration.getBackpropType());
        assertEquals(13, configuration.getTbpttFwdLength());
        assertEquals(13, configuration.getTbpttBackLength());
    }

    @ParameterizedTest
    @MethodSource("updaters")
    void eachUpdaterTakesTheLearningRate(String name, IUpdater expected) {
        MultiLayerConfiguration configuration = configuration("updater", name, "learning_rate", 0.0625);
        for (int i = 0; i < 3; i++) {
            assertEquals(expected, layer(configuration, i).getIUpdater());
        }
    }

    static Stream<Object[]> updaters() {
        return Stream.of(new Object[][] {
            {"adam", new Adam(0.0625)},
            {"rmsprop", new RmsProp(0.0625)},
            {"nesterovs", new Nesterovs(0.0625)},
            {"adagrad", new AdaGrad(0.0625)},
            {"sgd", new Sgd(0.0625)},
        });
    }

    private static void assertRegularization(MultiLayerConfiguration configuration, Regularization... expected) {
        for (int i = 0; i < 3; i++) {
            BaseLayer layer = layer(configuration, i);
            assertEquals(List.of(expected), layer.getRegularizationByParam("W"), "W of layer " + i);
            assertTrue(isEmpty(layer.getRegularizationByParam("b")), "b of layer " + i);
            if (i < 2) {
                assertEquals(List.of(expected), layer.getRegularizationByParam("RW"), "RW of layer " + i);
            }
        }
    }

    private static boolean isEmpty(Collection<?> all) {
        return all == null || all.isEmpty();
    }

    @Test
    void regularisesWeightsAndNotBiases() {
        assertRegularization(configuration());
        assertRegularization(configuration("l2", 0.25), new L2Regularization(0.25));
        assertRegularization(configuration("weight_decay", 0.25), new WeightDecay(0.25, false));
    }

    @Test
    void l2AndWeightDecayTogetherBothHoldOrAreRefused() {
        MultiLayerConfiguration configuration;
        try {
            configuration = configuration("l2", 0.25, "weight_decay", 0.5);
        } catch (IllegalArgumentException e) {
            assertTrue(e.getMessage().contains("weight_decay"), e.getMessage());
            return;
        }
        assertRegularization(configuration, new L2Regularization(0.25), new WeightDecay(0.5, false));
    }

    @Test
    void weightDecayTakesAShareOfTheWeightWhateverTheLearningRate() {
        Network network = network("updater", "sgd", "learning_rate", 0.0, "weight_decay", 0.25);
        Map<String, INDArray> before = copies(network.dl4j());
        step(network);
        before.forEach((name, old) -> {
            double kept = name.endsWith("_b") ? 1 : 0.75;
            INDArray expected = old.mul(kept);
            assertTrue(expected.equalsWithEps(network.dl4j().getParam(name), 1e-6), name);
        });
    }

    @Test
    void clipsTheGradientOfEachLayerByItself() {
        MultiLayerConfiguration clipped = configuration("clip", 0.125);
        MultiLayerConfiguration free = configuration();
        for (int i = 0; i < 3; i++) {
            assertEquals(GradientNormalization.ClipL2PerLayer, layer(clipped, i).getGradientNormalization());
            assertEquals(0.125, layer(clipped, i).getGradientNormalizationThreshold());
            assertEquals(GradientNormalization.None, layer(free, i).getGradientNormalization());
        }
        for (double norm : updateNorms("clip", 0.001)) {
            assertEquals(0.001, norm, 1e-5);
        }
        for (double norm : updateNorms()) {
            assertTrue(norm > 0.002, "a gradient of " + norm + " is not worth clipping");
        }
    }

    /** L2 norm of what one step at learning rate 1 adds to each layer's parameters. */
    private static double[] updateNorms(Object... changes) {
        Object[] all = Arrays.copyOf(changes, changes.length + 4);
        System.arraycopy(new Object[] {"updater", "sgd", "learning_rate", 1.0}, 0, all, changes.length, 4);
        Network network = network(all);
        Map<String, INDArray> before = copies(network.dl4j());
        step(network);
        double[] squares = new double[3];
        before.forEach((name, old) -> {
            double norm = network.dl4j().getParam(name).sub(old).norm2Number().doubleValue();
            squares[Character.digit(name.charAt(0), 10)] += norm * norm;
        });
        return Arrays.stream(squares).map(Math::sqrt).toArray();
    }

    private static Map<String, INDArray> copies(MultiLayerNetwork net) {
        Map<String, INDArray> copies = net.paramTable();
        copies.replaceAll((name, value) -> value.dup());
        return copies;
    }

    private static void step(Network network) {
        new Feeder().step(network, new Recording(0, TBPTT), 0, 0);
    }

    @Test
    void dropsInputsAfterTheFirstLayerOnly() {
        MultiLayerConfiguration configuration = configuration("dropout", 0.2);
        assertNull(layer(configuration, 0).getIDropout());
        assertEquals(new Dropout(0.8), layer(configuration, 1).getIDropout());
        assertEquals(new Dropout(0.8), layer(configuration, 2).getIDropout());
        for (int i = 0; i < 3; i++) {
            assertNull(layer(configuration(), i).getIDropout());
        }
    }

    private static void assertRefused(Map<String, Object> settings, String... named) {
        String text = lines(settings);
        String message = assertThrows(IllegalArgumentException.class,
                () -> NetworkConfiguration.of(NetworkSettings.parse(text))).getMessage();
        for (String name : named) {
            assertTrue(message.contains(name), message);
        }
    }

    static Stream<String> fields() {
        return settings().keySet().stream().filter(field -> !field.equals("cell"));
    }

    @ParameterizedTest
    @MethodSource("fields")
    void aMissingFieldIsRefused(String field) {
        Map<String, Object> settings = settings();
        settings.remove(field);
        assertRefused(settings, field);
    }

    /** Runs of versions without a choice of cell resume with the cell that they were started with. */
    @Test
    void settingsWithoutACellMeanGraves() {
        Map<String, Object> settings = settings();
        settings.remove("cell");
        assertEquals(configuration("cell", "graves"), NetworkConfiguration.of(NetworkSettings.parse(lines(settings))));
        assertSame(Fixtures.cell.stock(), layer(configuration(), 0).getClass());
        assertSame(Fixtures.cell.fused(), layer(configuration("layer", "fused"), 1).getClass());
    }

    @Test
    void anUnknownFieldIsRefused() {
        Map<String, Object> settings = settings();
        settings.put("momentum", 0.9);
        assertRefused(settings, "momentum");
    }

    @Test
    void aValueOfTheWrongTypeIsRefused() {
        assertRefused(settings("hidden", "many"), "many");
    }

    @ParameterizedTest
    @CsvSource({"updater", "layer", "init", "cell"})
    void anUnknownChoiceIsRefused(String field) {
        assertRefused(settings(field, "magic"), field, "magic");
    }
}

@WithCell("lstm")
class NetworkConfigurationOfLstmTest extends NetworkConfigurationTest {}
