package dl4jbridge;

import static dl4jbridge.Fixtures.CLASSES;
import static dl4jbridge.Fixtures.network;
import static dl4jbridge.Fixtures.oneHot;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dl4jbridge.fused.Workers;
import java.util.Random;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class BatchStreamTest {
    private static final int INPUTS = 5;
    private static final int OUTPUTS = 3;

    /** One step is computed from DL4J's own weights, many from copies of them; stock layers by DL4J. */
    @ParameterizedTest
    @CsvSource({"fused, 1, 3, 1, 1", "fused, 2, 5, 40, 1", "fused, 3, 5, 40, 2", "stock, 2, 5, 40, 1"})
    void givesWhatTimeStepsGive(String layer, int layers, int batch, int steps, int threads) {
        for (String output : new String[] {"linear", "sigmoid", "softmax"}) {
            Network network = network("layer", layer, "layers", layers, "input", "dense", "inputs", INPUTS,
                    "outputs", OUTPUTS, "output", output, "init", "xavier");
            INDArray x = Nd4j.rand('f', batch, INPUTS, 2 * steps);
            Tensor features = Tensor.of(Nd4j.create(new int[] {batch, INPUTS, steps + 1}, 'f'));
            Tensor outputs = Tensor.zeros("FLOAT", "c", new long[] {batch, steps + 1, OUTPUTS});
            outputs.array().assign(-1);
            BatchStream stream = network.batchStream();
            MultiLayerNetwork net = network.dl4j();
            net.rnnClearPreviousState();
            Workers.setThreads(threads);
            try {
                for (int call = 0; call < 2; call++) {
                    for (int t = 0; t < steps; t++) {
                        features.array().tensorAlongDimension(t, 0, 1)
                                .assign(x.tensorAlongDimension(call * steps + t, 0, 1));
                    }
                    stream.run(features, outputs, steps);
                    for (int t = 0; t < steps; t++) {
                        INDArray expected = net.rnnTimeStep(
                                x.tensorAlongDimension(call * steps + t, 0, 1).dup('f').reshape(batch, INPUTS, 1));
                        for (int b = 0; b < batch; b++) {
                            for (int i = 0; i < OUTPUTS; i++) {
                                assertEquals(expected.getFloat(b, i, 0), outputs.array().getFloat(b, t, i), 1e-5f,
                                        output + " at " + t);
                            }
                        }
                    }
                    assertEquals(-1, outputs.array().getFloat(0, steps, 0), "wrote more steps than asked for");
                }
            } finally {
                Workers.setThreads(1);
            }
        }
    }

    @Test
    void followsTheNetworkInTraining() {
        Network network = network("layer", "fused", "gradient_state", "carried");
        Random random = new Random(1);
        int[][] indices = new int[4][20];
        for (int[] row : indices) {
            java.util.Arrays.setAll(row, t -> random.nextInt(CLASSES));
        }
        Tensor x = Tensor.of(oneHot(indices, CLASSES));
        BatchStream stream = network.batchStream();
        float[][] found = new float[2][];
        for (int i = 0; i < 2; i++) {
            Tensor outputs = Tensor.zeros("FLOAT", "c", new long[] {4, 20, CLASSES});
            stream.continueFrom(network, true);
            stream.run(x, outputs, 20);
            found[i] = outputs.array().reshape(-1).toFloatVector();
            network.step(x, x, 20, true, 1);
            MultiLayerNetwork net = network.dl4j();
            net.rnnClearPreviousState();
            Tensor now = Tensor.zeros("FLOAT", "c", new long[] {4, 20, CLASSES});
            stream.continueFrom(network, true);
            stream.run(x, now, 20);
            assertArrayEquals(net.rnnTimeStep(x.array()).permute(0, 2, 1).dup('c').reshape(-1).toFloatVector(),
                    now.array().reshape(-1).toFloatVector(), 1e-5f);
        }
        assertEquals(false, java.util.Arrays.equals(found[0], found[1]), "nothing was learned");
    }
}

@WithCell("lstm")
class BatchStreamOfLstmTest extends BatchStreamTest {}
