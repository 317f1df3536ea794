package dl4jbridge.fused;

import static dl4jbridge.Fixtures.assertBitEqual;
import static dl4jbridge.fused.Twins.assertClose;
import static dl4jbridge.fused.Twins.parameters;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.Fixtures;
import dl4jbridge.Fixtures.Feeder;
import dl4jbridge.Fixtures.Recording;
import dl4jbridge.Network;
import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.distribution.NormalDistribution;
import org.deeplearning4j.nn.conf.dropout.AlphaDropout;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.conf.layers.recurrent.SimpleRnn;
import org.deeplearning4j.nn.conf.weightnoise.DropConnect;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.ILossFunction;
import org.nd4j.linalg.lossfunctions.LossFunctions;
import org.nd4j.linalg.lossfunctions.impl.LossMCXENT;
import org.nd4j.linalg.lossfunctions.impl.LossMSE;
import org.nd4j.linalg.lossfunctions.impl.LossNegativeLogLikelihood;
import org.nd4j.linalg.schedule.ExponentialSchedule;
import org.nd4j.linalg.schedule.ScheduleType;

class FusedLayersTest {
    private static final Sizes SIZES = new Sizes(9, 8, 6, 5, 7, 2);

    @TempDir
    Path folder;

    private static MultiLayerConfiguration toFused(MultiLayerConfiguration stock) {
        return FusedLayers.toFused(stock, GradientState.CARRIED, PointwiseMath.RATIONAL);
    }

    private static Layer layer(MultiLayerConfiguration configuration, int index) {
        return configuration.getConf(index).getLayer();
    }

    private static AbstractLSTM.Builder<?> lstm() {
        AbstractLSTM.Builder<?> builder = Fixtures.cell.builder();
        builder.activation(Activation.TANH).nIn(SIZES.inputs).nOut(SIZES.hidden);
        return builder;
    }

    private static RnnOutputLayer.Builder output(ILossFunction loss) {
        return new RnnOutputLayer.Builder(loss).activation(Activation.SOFTMAX).dataFormat(RNNFormat.NCW)
                .nIn(SIZES.hidden).nOut(SIZES.outputs);
    }

    private static MultiLayerConfiguration network(Layer hidden, Layer output) {
        if (hidden instanceof AbstractLSTM && ((AbstractLSTM) hidden).getRnnDataFormat() == null) {
            ((AbstractLSTM) hidden).setRnnDataFormat(RNNFormat.NCW);
        }
        return new NeuralNetConfiguration.Builder().seed(3).updater(new Adam(0.01)).list(hidden, output)
                .backpropType(BackpropType.TruncatedBPTT).tBPTTLength(SIZES.steps).build();
    }

    static Stream<Arguments> configurations() {
        AbstractLSTM full = lstm().name("ears").weightInit(new NormalDistribution(0, 1))
                .weightInitRecurrent(WeightInit.XAVIER).biasInit(0.25).forgetGateBiasInit(2.5)
                .updater(new Adam(new ExponentialSchedule(ScheduleType.ITERATION, 0.01, 0.9)))
                .biasUpdater(new Nesterovs(0.3, 0.8)).l1(0.001).l2(0.002).l1Bias(0.003).l2Bias(0.004)
                .dropOut(0.7).weightNoise(new DropConnect(0.9)).constrainWeights(new MaxNormConstraint(3, 1))
                .gradientNormalization(GradientNormalization.ClipElementWiseAbsoluteValue)
                .gradientNormalizationThreshold(0.125).helperAllowFallback(false).build();
        RnnOutputLayer.Builder mouth = output(new LossNegativeLogLikelihood()).name("mouth").biasInit(-0.5);
        mouth.updater(new RmsProp(0.1, 0.9, 1e-6)).weightInit(WeightInit.RELU).weightDecay(0.01);
        RnnOutputLayer fullOutput = mouth.build();
        fullOutput.setGradientNormalization(GradientNormalization.RenormalizeL2PerLayer);
        fullOutput.setIDropout(new AlphaDropout(0.4));
        return Stream.of(
                Arguments.of("plain", SIZES.configuration()),
                Arguments.of("decayed by the network", SIZES.configuration(builder -> builder
                        .updater(new Adam(0.01)).l2(0.01).gradientNormalization(GradientNormalization.ClipL2PerLayer).gradientNormalizationThreshold(1))),
                Arguments.of("with all that a layer can have", network(full, fullOutput)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("configurations")
    void thereAndBackIsTheSame(String name, MultiLayerConfiguration stock) {
        String before = stock.toJson();
        MultiLayerConfiguration fused = toFused(stock);
        assertEquals(before, stock.toJson(), "the original was changed");
        int last = stock.getConfs().size() - 1;
        assertSame(Fixtures.cell.fused(), layer(fused, 0).getClass());
        assertSame(FusedRnnOutput.class, layer(fused, last).getClass());
        String fusedBefore = fused.toJson();
        MultiLayerConfiguration back = FusedLayers.toStock(fused);
        assertEquals(fusedBefore, fused.toJson(), "the fused one was changed");
        assertSame(Fixtures.cell.stock(), layer(back, 0).getClass());
        assertSame(RnnOutputLayer.class, layer(back, last).getClass());
        assertEquals(stock, back);
        assertEquals(before, back.toJson());
        assertEquals(before, FusedLayers.toStock(MultiLayerConfiguration.fromJson(fusedBefore)).toJson(), "through JSON");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("configurations")
    void bothInitializeTheSameParameters(String name, MultiLayerConfiguration stock) {
        MultiLayerNetwork expected = new MultiLayerNetwork(stock);
        expected.init();
        MultiLayerNetwork fused = new MultiLayerNetwork(toFused(stock));
        fused.init();
        assertBitEqual(parameters(expected), parameters(fused), name);
        double forget = name.startsWith("with all") ? 2.5 : 1;
        float[] bias = values(fused.getParam("0_b"));
        for (int i = SIZES.hidden; i < 2 * SIZES.hidden; i++) {
            assertEquals(forget, bias[i]);
        }
    }

    @Test
    void theFieldsAreThoseRequested() {
        for (GradientState gradientState : GradientState.values()) {
            for (PointwiseMath math : PointwiseMath.values()) {
                MultiLayerConfiguration fused = FusedLayers.toFused(SIZES.configuration(), gradientState, math);
                MultiLayerConfiguration read = MultiLayerConfiguration.fromJson(fused.toJson());
                for (MultiLayerConfiguration configuration : List.of(fused, fused.clone(), read)) {
                    for (int i = 0; i < SIZES.layers; i++) {
                        FusedCell layer = (FusedCell) layer(configuration, i);
                        assertSame(gradientState, layer.getGradientState());
                        assertSame(math, layer.getMath());
                    }
                }
                assertEquals(fused, read);
                assertEquals(fused.hashCode(), read.hashCode());
            }
        }
    }

    @Test
    void layersThatComputeDifferentlyAreNotEqual() {
        List<FusedCell> layers = new ArrayList<>();
        for (GradientState gradientState : GradientState.values()) {
            for (PointwiseMath math : PointwiseMath.values()) {
                layers.add((FusedCell) layer(FusedLayers.toFused(SIZES.configuration(), gradientState, math), 0));
            }
        }
        for (FusedCell a : layers) {
            for (FusedCell b : layers) {
                assertEquals(a == b, a.equals(b));
            }
            assertNotEquals(a, layer(SIZES.configuration(), 0));
        }
    }

    private static void assertOnlyDl4jsClasses(String json) {
        Matcher names = Pattern.compile("\"@class\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        int found = 0;
        while (names.find()) {
            found++;
            String name = names.group(1);
            assertTrue(name.startsWith("org.deeplearning4j.") || name.startsWith("org.nd4j."), name);
        }
        assertTrue(found > 5, "looked at " + found + " names");
        assertFalse(json.contains("dl4jbridge") || json.contains("Fused") || json.contains("gradientState")
                || json.contains("\"math\""), json);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("configurations")
    void theJsonOfToStockNamesOnlyDl4jsClasses(String name, MultiLayerConfiguration stock) {
        MultiLayerConfiguration fused = toFused(stock);
        assertTrue(fused.toJson().contains("dl4jbridge"));
        assertOnlyDl4jsClasses(FusedLayers.toStock(fused).toJson());
    }

    /** All other parts of a network are left unchanged. */
    static Stream<Arguments> layersThatStayStock() {
        RnnOutputLayer softmax = output(new LossMCXENT()).build();
        AbstractLSTM nwc = lstm().build();
        nwc.setRnnDataFormat(RNNFormat.NWC);
        MultiLayerConfiguration bidirectional =
                network(new Bidirectional(Bidirectional.Mode.ADD, ncw(lstm().build())), softmax);
        bidirectional.setBackpropType(BackpropType.Standard);
        return Stream.of(
                Arguments.of("relu", network(lstm().activation(Activation.RELU).build(), softmax), 0),
                Arguments.of("hard sigmoid gates", network(
                        lstm().gateActivationFunction(Activation.HARDSIGMOID).build(), softmax), 0),
                Arguments.of("rational tanh", network(lstm().activation(Activation.RATIONALTANH).build(), softmax), 0),
                Arguments.of("[batch, time, size]", network(
                        nwc, output(new LossMCXENT()).dataFormat(RNNFormat.NWC).build()), 0),
                Arguments.of("SimpleRnn", network(
                        new SimpleRnn.Builder().dataFormat(RNNFormat.NCW).nIn(6).nOut(5).build(), softmax), 0),
                Arguments.of("both directions", bidirectional, 0),
                Arguments.of("frozen", network(new FrozenLayer(ncw(lstm().build())), softmax), 0),
                Arguments.of("squared error of a tanh", network(lstm().build(),
                        output(LossFunctions.LossFunction.MSE.getILossFunction())
                        .activation(Activation.TANH).build()), 1),
                Arguments.of("weighted squared error", network(lstm().build(),
                        output(new LossMSE(Nd4j.linspace(DataType.FLOAT, 1, 0.5, 7).reshape(1, 7)))
                        .activation(Activation.IDENTITY).build()), 1),
                Arguments.of("sigmoid", network(lstm().build(), output(LossFunctions.LossFunction.XENT.getILossFunction())
                        .activation(Activation.SIGMOID).build()), 1),
                Arguments.of("weighted classes", network(lstm().build(),
                        output(new LossMCXENT(Nd4j.linspace(DataType.FLOAT, 1, 0.5, 7).reshape(1, 7))).build()), 1),
                Arguments.of("another clipping of the loss", network(
                        lstm().build(), output(new LossMCXENT(0.3, null)).build()), 1),
                Arguments.of("no bias", network(lstm().build(), output(new LossMCXENT()).hasBias(false).build()), 1));
    }

    private static AbstractLSTM ncw(AbstractLSTM layer) {
        layer.setRnnDataFormat(RNNFormat.NCW);
        return layer;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("layersThatStayStock")
    void layersThatCannotBeFusedStayStock(String name, MultiLayerConfiguration stock, int index) {
        MultiLayerConfiguration fused = toFused(stock);
        assertSame(layer(stock, index).getClass(), layer(fused, index).getClass());
        assertEquals(layer(stock, index), layer(fused, index));
        if (name.equals("no bias")) {
            return; // DL4J itself fails to compute it
        }
        MultiLayerNetwork expected = new MultiLayerNetwork(stock);
        expected.init();
        MultiLayerNetwork net = new MultiLayerNetwork(fused);
        net.init(expected.params().dup(), false);
        boolean timeLast = !name.equals("[batch, time, size]");
        INDArray x = timeLast ? SIZES.oneHotInput(1) : SIZES.oneHotInput(1).permute(0, 2, 1).dup('f');
        INDArray y = timeLast ? SIZES.labels(1) : SIZES.labels(1).permute(0, 2, 1).dup('f');
        assertClose(expected.output(x), net.output(x), 1e-5, name);
        if (timeLast) {
            for (MultiLayerNetwork one : new MultiLayerNetwork[] {expected, net}) {
                one.setInput(x);
                one.setLabels(y);
                one.computeGradientAndScore();
            }
            assertEquals(expected.score(), net.score(), 1e-5 * expected.score());
        }
    }

    @Test
    void anotherDataTypeIsRefusedWithTheWayOut() {
        MultiLayerConfiguration doubles = SIZES.configuration(builder -> builder.dataType(DataType.DOUBLE));
        MultiLayerConfiguration fused = toFused(doubles);
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> new MultiLayerNetwork(fused).init());
        assertTrue(e.getMessage().contains("layer 0") && e.getMessage().contains("DOUBLE")
                && e.getMessage().contains("FLOAT") && e.getMessage().contains("FusedLayers.toStock"), e.getMessage());
        new MultiLayerNetwork(FusedLayers.toStock(fused)).init();
        MultiLayerConfiguration outputOnly = doubles.clone();
        outputOnly.getConf(2).setLayer(layer(fused, 2));
        e = assertThrows(IllegalArgumentException.class, () -> new MultiLayerNetwork(outputOnly).init());
        assertTrue(e.getMessage().contains("layer 2") && e.getMessage().contains("DOUBLE"), e.getMessage());
    }

    @Test
    void anActivationThatIsSetAfterwardsIsRefused() {
        MultiLayerConfiguration fused = toFused(SIZES.configuration());
        ((AbstractLSTM) layer(fused, 1)).setActivationFn(Activation.RELU.getActivationFunction());
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> new MultiLayerNetwork(fused).init());
        assertTrue(e.getMessage().contains("layer 1") && e.getMessage().contains("relu"), e.getMessage());
    }

    @Test
    void aroundSharesTheParametersAndCopiesTheUpdater() {
        Twins twins = Twins.exact(SIZES.configuration(new Adam(0.01)));
        twins.stock.fit(SIZES.oneHotInput(1), SIZES.labels(1));
        twins.stock.fit(SIZES.oneHotInput(2), SIZES.labels(2));
        MultiLayerNetwork fused = FusedLayers.around(twins.stock, toFused(twins.stock.getLayerWiseConfigurations()));
        assertBitEqual(values(twins.stock.getUpdater().getStateViewArray()), values(fused.getUpdater().getStateViewArray()),
                "updater");
        assertEquals(2, fused.getIterationCount());
        fused.params().addi(1);
        assertBitEqual(parameters(fused), parameters(twins.stock), "parameters");
        fused.getUpdater().getStateViewArray().addi(1);
        assertTrue(Twins.furthest(values(fused.getUpdater().getStateViewArray()),
                values(twins.stock.getUpdater().getStateViewArray())) > 0.9);
        MultiLayerNetwork plain = Twins.exact(SIZES.configuration(new Sgd(0.1))).stock;
        assertNull(FusedLayers.around(plain, toFused(plain.getLayerWiseConfigurations())).getUpdater().getStateViewArray());
    }

    private static Network network(String layer, String updater) {
        return Fixtures.network("layer", layer, "updater", updater, "clip", 0.5);
    }

    private String saved(Network network) throws IOException {
        String path = folder.resolve("model.zip").toString();
        network.save(path, true);
        return path;
    }

    private static void fit(MultiLayerNetwork net) {
        for (int window = 10; window < 12; window++) {
            Recording recording = new Recording(window, Fixtures.WINDOW);
            net.fit(recording.features(), recording.labels());
        }
    }

    private static void assertNetworksClose(
            MultiLayerNetwork expected, MultiLayerNetwork actual, double tolerance, String what) {
        assertClose(parameters(expected), parameters(actual), tolerance, what + ", parameters");
        assertEquals(expected.getIterationCount(), actual.getIterationCount(), what);
        INDArray state = expected.getUpdater().getStateViewArray();
        if (state == null) {
            assertNull(actual.getUpdater().getStateViewArray());
        } else {
            assertClose(values(state), values(actual.getUpdater().getStateViewArray()), tolerance, what + ", updater");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"adam", "rmsprop", "sgd"})
    void aSavedFusedNetworkContinuesAsStock(String updater) throws IOException {
        Network fused = network("fused", updater);
        new Feeder().steps(fused, 0, 6);
        String path = saved(fused);
        try (ZipFile zip = new ZipFile(path)) {
            ZipEntry entry = zip.getEntry("configuration.json");
            assertOnlyDl4jsClasses(new String(zip.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8));
        }
        MultiLayerNetwork stock = MultiLayerNetwork.load(new File(path), true);
        MultiLayerConfiguration read = stock.getLayerWiseConfigurations();
        assertSame(Fixtures.cell.stock(), layer(read, 0).getClass());
        assertSame(Fixtures.cell.stock(), layer(read, 1).getClass());
        assertSame(RnnOutputLayer.class, layer(read, 2).getClass());
        assertNetworksClose(fused.dl4j(), stock, 0, "as read");
        MultiLayerConfiguration converted = FusedLayers.toStock(fused.dl4j().getLayerWiseConfigurations());
        MultiLayerNetwork unsaved = FusedLayers.around(fused.dl4j(), converted).clone();
        fit(stock);
        fit(unsaved);
        assertNetworksClose(unsaved, stock, 0, "as stock");
        fit(fused.dl4j());
        assertNetworksClose(fused.dl4j(), stock, 1e-5, "as fused");
    }

    @ParameterizedTest
    @CsvSource({"adam, stock", "rmsprop, stock", "sgd, stock", "adam, carried"})
    void aSavedStockNetworkContinuesAsFused(String updater, String gradientState) throws IOException {
        Network stock = network("stock", updater);
        new Feeder().steps(stock, 0, 6);
        Network fused = Fixtures.restored(saved(stock),
                "layer", "fused", "gradient_state", gradientState, "updater", updater, "clip", 0.5);
        FusedCell layer = (FusedCell) layer(fused.dl4j().getLayerWiseConfigurations(), 1);
        assertEquals(gradientState.toUpperCase(java.util.Locale.ROOT), layer.getGradientState().name());
        assertNetworksClose(stock.dl4j(), fused.dl4j(), 0, "as read");
        new Feeder().steps(fused, 6, 12);
        new Feeder().steps(stock, 6, 12);
        if (gradientState.equals("stock")) {
            assertNetworksClose(stock.dl4j(), fused.dl4j(), 1e-5, "six steps later");
        } else {
            assertTrue(Twins.furthest(parameters(stock.dl4j()), parameters(fused.dl4j())) > 1e-3, "the same gradient");
        }
    }
}

@WithCell("lstm")
class FusedLayersOfLstmTest extends FusedLayersTest {}
