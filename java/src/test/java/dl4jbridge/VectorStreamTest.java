package dl4jbridge;

import static dl4jbridge.Fixtures.network;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dl4jbridge.fused.Workers;
import java.util.Arrays;
import java.util.Random;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.lossfunctions.LossFunctions;

class VectorStreamTest {
    private static final int INPUTS = 5;
    private static final int OUTPUTS = 3;

    private static Network dense(String output) {
        return dense(output, 8);
    }

    private static Network dense(String output, int hidden) {
        return network("input", "dense", "inputs", INPUTS, "outputs", OUTPUTS, "output", output, "init", "xavier",
                "hidden", hidden);
    }

    private static float[][] random(int n) {
        Random random = new Random(3);
        float[][] x = new float[n][INPUTS];
        for (float[] row : x) {
            for (int i = 0; i < INPUTS; i++) {
                row[i] = (float) random.nextGaussian();
            }
        }
        return x;
    }

    private static Tensor tensor(float[][] rows) {
        Tensor tensor = Tensor.zeros("FLOAT", "c", new long[] {rows.length, rows[0].length});
        tensor.array().assign(Nd4j.create(rows));
        return tensor;
    }

    private static float[][] run(VectorStream stream, float[]... x) {
        Tensor results = Tensor.zeros("FLOAT", "c", new long[] {x.length, OUTPUTS});
        stream.run(tensor(x), results, x.length);
        return results.array().toFloatMatrix();
    }

    @ParameterizedTest
    @CsvSource({"linear, 8", "sigmoid, 8", "softmax, 8", "linear, 64"})
    void givesWhatTimeStepsGive(String output, int hidden) {
        Network network = dense(output, hidden);
        float[][] x = random(300);
        float[][] rows = run(network.vectorStream(), x);
        MultiLayerNetwork net = network.dl4j();
        net.rnnClearPreviousState();
        for (int t = 0; t < x.length; t++) {
            INDArray expected = net.rnnTimeStep(Nd4j.create(new float[][] {x[t]}).reshape(1, INPUTS, 1));
            assertArrayEquals(expected.dup('c').data().asFloat(), rows[t], 1e-5f, "step " + t);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 8", "2, 8", "2, 64"}) // a small layer and a large one
    void neitherACutNorThreadsChangeABitAndResetForgets(int threads, int hidden) {
        float[][] x = random(1500);
        VectorStream stream = dense("linear", hidden).vectorStream();
        float[][] whole;
        Workers.setThreads(threads);
        try {
            whole = run(stream, x);
        } finally {
            Workers.setThreads(1);
        }
        stream.reset();
        for (int from = 0, length = 1; from < x.length; from += length, length = length * 3 / 2 + 1) {
            int to = Math.min(from + length, x.length);
            assertArrayEquals(Arrays.copyOfRange(whole, from, to), run(stream, Arrays.copyOfRange(x, from, to)));
        }
        assertFalse(Arrays.deepEquals(whole, run(stream, x)), "nothing was carried");
    }

    @Test
    void writesNoMoreRowsThanAskedFor() {
        Tensor results = Tensor.zeros("FLOAT", "c", new long[] {3, OUTPUTS});
        results.array().assign(-1);
        dense("sigmoid").vectorStream().run(tensor(random(3)), results, 2);
        assertTrue(results.array().getRow(1).minNumber().doubleValue() > 0);
        assertEquals(-OUTPUTS, results.array().getRow(2).sumNumber().doubleValue());
    }

    @Test
    void allocatesNothing() {
        VectorStream vectors = dense("sigmoid").vectorStream();
        SampleStream samples = network().stream();
        Tensor x = tensor(random(64));
        Tensor y = Tensor.zeros("FLOAT", "c", new long[] {64, OUTPUTS});
        Tensor indices = Tensor.zeros("UBYTE", "c", new long[] {64});
        Tensor probabilities = Tensor.zeros("FLOAT", "c", new long[] {64, Fixtures.CLASSES});
        long before = 0;
        for (int i = 0; i < 300; i++) {
            if (i == 200) {
                before = Allocated.bytesOfThisThread();
            }
            vectors.run(x, y, 64);
            samples.run(indices, probabilities, 64);
        }
        long bytes = Allocated.bytesOfThisThread() - before;
        // Java's compiler may leave an object or two of its own; one array a block would be 25,600 bytes.
        assertTrue(bytes < 1000, bytes + " bytes");
    }

    @Test
    void refusesAnotherOutput() {
        MultiLayerNetwork net = new MultiLayerNetwork(new NeuralNetConfiguration.Builder().list()
                .layer(Fixtures.cell.builder().nIn(INPUTS).nOut(4).activation(Activation.TANH).build())
                .layer(new RnnOutputLayer.Builder(LossFunctions.LossFunction.MSE).activation(Activation.TANH)
                        .nIn(4).nOut(OUTPUTS).build())
                .build());
        net.init();
        assertThrows(IllegalArgumentException.class, () -> new VectorStream(net));
    }
}

@WithCell("lstm")
class VectorStreamOfLstmTest extends VectorStreamTest {}
