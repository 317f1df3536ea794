package dl4jbridge.fused;

import static dl4jbridge.fused.Twins.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dl4jbridge.fused.Twins.Sizes;
import java.util.Random;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.factory.Nd4j;

class NeighbourSharingTest {
    /** Two blocks of 16 units, the last not full; other numbers of classes in and out. */
    private static final Sizes SIZES = new Sizes(2, 3, 12, 21, 9, 2);

    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    @ParameterizedTest
    @CsvSource({
        "true, true, 0.8, 1, 1000", "true, true, 0.8, 3, 200", "true, false, 0.5, 1, 50", "false, true, 0.5, 2, 150",
        "true, true, 0, 1, 1000", "false, false, 0.5, 1, 1000"
    })
    void theGradientIsTheProductWithTheMatrix(boolean input, boolean output, double full, int threads, int iteration) {
        Workers.setThreads(threads);
        double decay = full * Math.min(iteration / 200.0, 1);
        MultiLayerNetwork net = Twins.network(SIZES.configuration());
        net.initGradientsView();
        Random random = new Random(1);
        float[] gradient = new float[(int) net.numParams()];
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] = (float) random.nextGaussian();
        }
        net.getFlattenedGradients().assign(Nd4j.createFromArray(gradient).reshape(net.getFlattenedGradients().shape()));
        float[] expected = gradient.clone();
        for (int column = 0; input && column < 4 * SIZES.hidden; column++) {
            multiply(gradient, expected, column * SIZES.inputs, 1, SIZES.inputs, decay);
        }
        int bias = gradient.length - SIZES.outputs;
        for (int unit = 0; output && unit < SIZES.hidden; unit++) {
            multiply(gradient, expected, bias - SIZES.hidden * SIZES.outputs + unit, SIZES.hidden, SIZES.outputs, decay);
        }
        if (output) {
            multiply(gradient, expected, bias, 1, SIZES.outputs, decay);
        }
        NeighbourSharing.of(net, input, output, full).apply(iteration);
        assertArrayEquals(expected, values(net.getFlattenedGradients()), 1e-5f);
    }

    /** The definition: each class has its own gradient, and decay^distance of that of each class, its own too. */
    private static void multiply(float[] from, float[] to, int start, int stride, int classes, double decay) {
        for (int i = 0; decay > 0 && i < classes; i++) {
            double sum = from[start + i * stride];
            for (int j = 0; j < classes; j++) {
                sum += Math.pow(decay, Math.abs(i - j)) * from[start + j * stride];
            }
            to[start + i * stride] = (float) sum;
        }
    }
}
