package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.assertBlocksClose;
import static dl4jbridge.fused.Twins.assertClose;
import static dl4jbridge.fused.Twins.gradient;
import static dl4jbridge.fused.Twins.parameters;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.WithCell;
import dl4jbridge.fused.Twins.Sizes;
import java.util.List;
import java.util.stream.Stream;
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
import org.nd4j.linalg.lossfunctions.LossFunctions;

class SquaredErrorTest {
    private static final double CLOSE = 1e-6;
    private static final Sizes AMPLIFIER = new Sizes(3, 7, 1, 5, 1, 1);

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    private static MultiLayerConfiguration configuration(Sizes sizes, Activation activation) {
        return sizes.configuration(LossFunctions.LossFunction.MSE, activation);
    }

    private static INDArray labels(Sizes sizes, long seed) {
        return Twins.gaussian(~seed, sizes.batch, sizes.outputs, sizes.steps).muli(0.3);
    }

    static Stream<Arguments> cases() {
        List<Sizes> sizes = List.of(AMPLIFIER, new Sizes(1, 1, 3, 4, 2, 1), new Sizes(2, 5, 6, 9, 1500, 1),
                new Sizes(33, 4, 7, 13, 11, 3), new Sizes(5, 60, 17, 8, 17, 2));
        return sizes.stream().flatMap(s -> Stream.of(Activation.IDENTITY, Activation.SIGMOID)
                .flatMap(a -> Stream.of(1, 2).map(threads -> Arguments.of(s, a, threads))));
    }

    @ParameterizedTest(name = "{0}, {1}, {2} threads")
    @MethodSource("cases")
    void gradientScoreAndParametersAreThoseOfStock(Sizes sizes, Activation activation, int threads) {
        Workers.setThreads(threads);
        Twins twins = Twins.exact(configuration(sizes, activation));
        MultiLayerNetwork precise = Twins.inDoublePrecision(configuration(sizes, activation));
        assertEquals(FusedRnnOutputLayer.class, twins.fused.getOutputLayer().getClass());
        for (int i = 0; i < 3; i++) {
            INDArray x = sizes.denseInput(i);
            INDArray y = labels(sizes, i);
            float[] expected = gradient(twins.stock, x, y);
            float[] actual = gradient(twins.fused, x, y);
            assertBlocksClose(twins.stock, expected, actual, CLOSE, "gradient");
            float[] truth = gradient(precise, x.castTo(DataType.DOUBLE), y.castTo(DataType.DOUBLE));
            assertBlocksClose(twins.stock, truth, actual, CLOSE, "gradient, against double precision");
            // Stock adds up thousands of squares in single precision.
            assertEquals(twins.stock.score(), twins.fused.score(), 1e-5 * twins.stock.score());
            assertEquals(Double.NaN, ((FusedRnnOutputLayer) twins.fused.getOutputLayer()).accuracy());
        }
        for (int i = 0; i < 10; i++) {
            twins.stock.fit(sizes.denseInput(i), labels(sizes, i));
            twins.fused.fit(sizes.denseInput(i), labels(sizes, i));
            assertClose(parameters(twins.stock), parameters(twins.fused), CLOSE, "parameters, step " + i);
            // Where training is unstable, any rounding would grow from step to step.
            twins.fused.setParams(twins.stock.params().dup());
        }
    }

    /** The loss by its formula from the network's output, and its gradient by central differences. */
    @ParameterizedTest(name = "square {0}, pre-emphasis {1}, offset {2}, from {3}, {4} threads")
    @MethodSource("weights")
    void weightedLossIsTheFormulaAndItsGradientThatOfDifferences(
            double square, double preEmphasis, double offset, int from, int threads) {
        Workers.setThreads(threads);
        MultiLayerNetwork net = Twins.exact(configuration(AMPLIFIER, Activation.IDENTITY)).fused;
        ((FusedRnnOutputLayer) net.getOutputLayer()).weightSquaredError(square, preEmphasis, offset, from);
        INDArray x = AMPLIFIER.denseInput(1);
        INDArray y = labels(AMPLIFIER, 1);
        float[] found = gradient(net, x, y);
        double loss = formula(net.output(x), y, square, preEmphasis, offset, from) / AMPLIFIER.batch;
        assertEquals(loss, net.score(), CLOSE * Math.max(1, loss));
        assertTrue(Twins.largest(found) > 0.1, "the gradient is too small to show anything");
        INDArray parameters = net.params();
        for (int i = 0; i < parameters.length(); i += 3) {
            double before = parameters.getDouble(i);
            double step = 2e-3;
            parameters.putScalar(i, before + step);
            double above = formula(net.output(x), y, square, preEmphasis, offset, from);
            parameters.putScalar(i, before - step);
            double below = formula(net.output(x), y, square, preEmphasis, offset, from);
            parameters.putScalar(i, before);
            double expected = (above - below) / (2 * step);
            assertEquals(expected, found[i], 2e-3 * Math.max(1, Twins.largest(found)), "parameter " + i);
        }
    }

    static Stream<Arguments> weights() {
        return Stream.of(Arguments.of(1.0, 0.0, 0.0, 0, 1), Arguments.of(0.5, 0.85, 0.0, 0, 2),
                Arguments.of(0.3, 0.0, 0.7, 0, 1), Arguments.of(0.75, 0.95, 0.25, 0, 2),
                Arguments.of(0.75, 0.85, 0.25, 3, 1));
    }

    private static double formula(
            INDArray output, INDArray labels, double square, double preEmphasis, double offset, int from) {
        double total = 0;
        for (int row = 0; row < labels.size(0); row++) {
            double before = 0;
            double sum = 0;
            for (int t = from; t < labels.size(2); t++) {
                double e = output.getDouble(row, 0, t) - labels.getDouble(row, 0, t);
                total += square * Math.pow(e - preEmphasis * before, 2);
                before = e;
                sum += e;
            }
            total += offset * sum * sum;
        }
        return total;
    }

    @Test
    void weightsForALinearOutputAreRefusedUnderASigmoid() {
        MultiLayerNetwork net = Twins.exact(configuration(AMPLIFIER, Activation.SIGMOID)).fused;
        FusedRnnOutputLayer layer = (FusedRnnOutputLayer) net.getOutputLayer();
        layer.weightSquaredError(0.5, 0, 0, 0);
        assertThrows(IllegalArgumentException.class, () -> layer.weightSquaredError(0.5, 0.1, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> layer.weightSquaredError(0.5, 0, 0.1, 0));
        assertThrows(IllegalArgumentException.class, () -> layer.weightSquaredError(0.5, 0, 0, 1));
    }
}

@WithCell("lstm")
class SquaredErrorOfLstmTest extends SquaredErrorTest {}
