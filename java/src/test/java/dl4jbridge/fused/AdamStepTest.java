package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.furthest;
import static dl4jbridge.fused.Twins.parameters;
import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.Fixtures;
import dl4jbridge.Fixtures.Feeder;
import dl4jbridge.Network;
import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayer;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.AMSGrad;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.schedule.ExponentialSchedule;
import org.nd4j.linalg.schedule.ScheduleType;

class AdamStepTest {
    private static final Sizes SIZES = new Sizes(3, 4, 40, 20, 9, 2);
    private static final int STEPS = 20;
    /** Tolerance of a moment, relative to its value. */
    private static final double CLOSE = 1e-6;
    /** DL4J adds the squares of a layer's gradient up in float; a second moment has the error of that norm twice. */
    private static final double CLIPPED = 4e-6;
    /** After 20 steps, each of which rounds the parameter on both sides. */
    private static final double PARAMETER = 3e-6;

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    private static MultiLayerNetwork network(Consumer<NeuralNetConfiguration.Builder> more) {
        return Twins.network(SIZES.configuration(more));
    }

    private static Consumer<NeuralNetConfiguration.Builder> adam(double clip) {
        return builder -> {
            builder.updater(new Adam(0.01));
            if (clip > 0) {
                builder.gradientNormalization(GradientNormalization.ClipL2PerLayer).gradientNormalizationThreshold(clip);
            }
        };
    }

    /** Each parameter has its own size of gradient, from 1e-9 to 10, in some layers more; every seventh has none. */
    private static void setRandomGradient(Random random, MultiLayerNetwork... nets) {
        float[] sizes = new float[(int) nets[0].numParams()];
        Random fixed = new Random(1);
        int at = 0;
        for (int i = 0; i < nets[0].getnLayers(); i++) {
            float layer = (float) Math.pow(10, -2 * i);
            for (long j = nets[0].getLayer(i).numParams(); j > 0; j--) {
                sizes[at++] = layer * (float) Math.pow(10, 1 - 10 * fixed.nextDouble() * fixed.nextDouble());
            }
        }
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] *= i % 7 == 0 ? 0 : 1 + random.nextFloat();
        }
        for (MultiLayerNetwork net : nets) {
            net.getFlattenedGradients().assign(Nd4j.createFromArray(sizes).reshape(net.getFlattenedGradients().shape()));
        }
    }

    /** What BaseOptimizer and StochasticGradientDescent do with a gradient. */
    private static void updateByDl4j(MultiLayerNetwork net, int batch, int iteration) {
        Gradient gradient = new DefaultGradient(net.getFlattenedGradients());
        for (int i = 0; i < net.getnLayers(); i++) {
            Map<String, INDArray> views = net.getLayer(i).conf().getLayer().initializer().getGradientsFromFlattened(
                    net.getLayer(i).conf(), net.getLayer(i).getGradientsViewArray());
            for (Map.Entry<String, INDArray> e : views.entrySet()) {
                gradient.setGradientFor(i + "_" + e.getKey(), e.getValue());
            }
        }
        net.getUpdater().update(net, gradient, iteration, 0, batch, LayerWorkspaceMgr.noWorkspaces());
        net.params().subi(net.getFlattenedGradients().reshape(net.params().shape()));
    }

    /** Each moment by itself, however small. */
    private static void assertSameNetwork(MultiLayerNetwork expected, MultiLayerNetwork actual, double close, String what) {
        float[] moments = values(expected.getUpdater().getStateViewArray());
        float[] found = values(actual.getUpdater().getStateViewArray());
        for (int i = 0; i < moments.length; i++) {
            int at = i;
            assertEquals(moments[i], found[i], close * Math.abs(moments[i]), () -> what + ", moment " + at);
        }
        Twins.assertClose(parameters(expected), parameters(actual), PARAMETER, what + ", parameters");
    }

    @ParameterizedTest
    @CsvSource({"0, 1, 1", "0, 32, 2", "1, 1, 1", "1, 32, 2", "0.05, 3, 3", "1e9, 32, 1"})
    void parametersAndMomentsAreThoseOfDl4j(double clip, int batch, int threads) {
        Workers.setThreads(threads);
        MultiLayerNetwork expected = network(adam(clip));
        MultiLayerNetwork actual = network(adam(clip));
        float[] before = parameters(expected);
        expected.initGradientsView();
        actual.initGradientsView();
        AdamStep step = AdamStep.of(actual);
        assertNotNull(step);
        Random random = new Random(5);
        for (int i = 0; i < STEPS; i++) {
            if (i == 7 || i == 13) {
                expected.setLearningRate(0.02 / i);
                actual.setLearningRate(0.02 / i);
                step = AdamStep.of(actual);
            }
            setRandomGradient(random, expected, actual);
            step.update(batch, i, step.squares());
            updateByDl4j(expected, batch, i);
            assertSameNetwork(expected, actual, clip > 0 ? CLIPPED : CLOSE, "step " + i);
        }
        assertTrue(furthest(before, parameters(expected)) > 0.01, "nothing happened");
    }

    /** Otherwise the test above would not show that each layer is clipped by itself. */
    @Test
    void theClippingOfOneBitesInSomeLayersOnly() {
        MultiLayerNetwork net = network(adam(1));
        net.initGradientsView();
        setRandomGradient(new Random(5), net);
        double first = net.getLayer(0).getGradientsViewArray().norm2Number().doubleValue();
        double last = net.getLayer(2).getGradientsViewArray().norm2Number().doubleValue();
        assertTrue(first > 32 && last < 1, first + ", " + last);
    }

    @Test
    void otherBetasAndEpsilons() {
        Consumer<NeuralNetConfiguration.Builder> unusual = builder -> builder.updater(new Adam(0.1, 0.5, 0.75, 1e-3));
        MultiLayerNetwork expected = network(unusual);
        MultiLayerNetwork actual = network(unusual);
        expected.initGradientsView();
        actual.initGradientsView();
        AdamStep step = AdamStep.of(actual);
        Random random = new Random(6);
        for (int i = 0; i < STEPS; i++) {
            setRandomGradient(random, expected, actual);
            step.update(2, i + 1000, step.squares());
            updateByDl4j(expected, 2, i + 1000);
        }
        assertSameNetwork(expected, actual, CLOSE, "parameters");
    }

    private static Arguments unfit(String name, Consumer<NeuralNetConfiguration.Builder> more) {
        return Arguments.of(name, SIZES.configuration(builder -> {
            builder.updater(new Adam(0.01));
            more.accept(builder);
        }));
    }

    private static MultiLayerConfiguration changed(Consumer<BaseLayer> change) {
        MultiLayerConfiguration configuration = SIZES.configuration(new Adam(0.01));
        change.accept((BaseLayer) configuration.getConf(1).getLayer());
        return configuration;
    }

    static Stream<Arguments> whatItDoesNotCover() {
        MultiLayerConfiguration frozen = SIZES.configuration(new Adam(0.01));
        frozen.getConf(1).setLayer(new FrozenLayer(frozen.getConf(1).getLayer()));
        return Stream.of(
                unfit("sgd", builder -> builder.updater(new Sgd(0.1))),
                unfit("nesterovs", builder -> builder.updater(new Nesterovs(0.1))),
                unfit("amsgrad", builder -> builder.updater(new AMSGrad(0.1))),
                unfit("a schedule", builder ->
                        builder.updater(new Adam(new ExponentialSchedule(ScheduleType.ITERATION, 0.01, 0.9)))),
                unfit("another updater of the biases", builder -> builder.biasUpdater(new Adam(0.02))),
                unfit("l1", builder -> builder.l1(0.01)),
                unfit("l2", builder -> builder.l2(0.01)),
                unfit("l2 of the biases", builder -> builder.l2Bias(0.01)),
                unfit("weight decay", builder -> builder.weightDecay(0.01)),
                unfit("gradients that are not divided by the batch", builder -> builder.miniBatch(false)),
                unfit("clipping of each element", builder -> builder.gradientNormalization(
                        GradientNormalization.ClipElementWiseAbsoluteValue).gradientNormalizationThreshold(1)),
                unfit("clipping of each parameter", builder -> builder.gradientNormalization(
                        GradientNormalization.ClipL2PerParamType).gradientNormalizationThreshold(1)),
                unfit("normalised gradients", builder ->
                        builder.gradientNormalization(GradientNormalization.RenormalizeL2PerLayer)),
                unfit("a constraint", builder -> builder.constrainWeights(new MaxNormConstraint(2, 1))),
                Arguments.of("a frozen layer", frozen),
                Arguments.of("another learning rate in one layer", changed(layer -> layer.setIUpdater(new Adam(0.02)))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("whatItDoesNotCover")
    void whatItDoesNotCoverIsLeftToDl4j(String name, MultiLayerConfiguration configuration) {
        assertNull(AdamStep.of(Twins.network(configuration)));
        MultiLayerConfiguration fused = FusedLayers.toFused(configuration, GradientState.CARRIED, PointwiseMath.RATIONAL);
        assertNull(AdamStep.of(Twins.network(fused)));
    }

    @Test
    void eachLayerMayBeClippedAtItsOwnNorm() {
        MultiLayerConfiguration configuration = changed(layer -> {
            layer.setGradientNormalization(GradientNormalization.ClipL2PerLayer);
            layer.setGradientNormalizationThreshold(0.01);
        });
        MultiLayerNetwork expected = Twins.network(configuration);
        MultiLayerNetwork actual = Twins.network(configuration);
        expected.initGradientsView();
        actual.initGradientsView();
        setRandomGradient(new Random(6), expected, actual);
        AdamStep step = AdamStep.of(actual);
        step.update(2, 0, step.squares());
        updateByDl4j(expected, 2, 0);
        assertSameNetwork(expected, actual, CLIPPED, "one layer clipped");
    }

    /** The same network as Python trains it, by AdamStep, and by DL4J's own fit. */
    @ParameterizedTest
    @CsvSource({"0, stock", "0.3, stock", "0.3, carried"})
    void trainingByStepsIsDl4jsFit(double clip, String gradientState) {
        Object[] settings = {"layer", "fused", "gradient_state", gradientState, "clip", clip, "learning_rate", 0.005};
        Network network = Fixtures.network(settings);
        MultiLayerNetwork reference = Fixtures.dl4j(settings);
        float[] before = parameters(reference);
        for (int window = 0; window < 7; window++) {
            Fixtures.Recording recording = new Fixtures.Recording(window, Fixtures.WINDOW);
            reference.fit(recording.features(), recording.labels());
        }
        new Feeder().steps(network, 0, 21);
        assertEquals(21, network.dl4j().getIterationCount());
        Twins.assertClose(parameters(reference), parameters(network.dl4j()), 1e-5, "parameters");
        assertTrue(furthest(before, parameters(reference)) > 0.05);
    }
}

@WithCell("lstm")
class AdamStepOfLstmTest extends AdamStepTest {}
