import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Runs a model.zip of dl4j_bridge in plain DL4J, without any class of dl4j_bridge.
 *
 * <p>Usage: java -cp DL4J_JARS LoadModel.java model.zip INDICES PROBABILITIES, where INDICES holds one byte
 * for each sample, and PROBABILITIES receives 256 big-endian floats for each.
 */
public class LoadModel {
    public static void main(String[] args) throws IOException {
        MultiLayerNetwork net = MultiLayerNetwork.load(new File(args[0]), false);
        byte[] indices = Files.readAllBytes(Path.of(args[1]));
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(Path.of(args[2])))) {
            for (byte index : indices) {
                INDArray oneHot = Nd4j.zeros(DataType.FLOAT, 1, 256, 1);
                oneHot.putScalar(0, index & 0xFF, 0, 1);
                for (float p : net.rnnTimeStep(oneHot).reshape(256).toFloatVector()) {
                    out.writeFloat(p);
                }
            }
        }
    }
}
