import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Runs a model.zip of `train --task frames --frame 1` in plain DL4J, sample by sample, without any class of dl4j_bridge.
 *
 * <p>Usage: java -cp DL4J_JARS RunAmpModel.java model.zip INPUT OUTPUT [skip], where INPUT and OUTPUT hold big-endian
 * floats at the model's rate. "skip" adds the input to the output of the network; use it for a model that was trained
 * with --skip, which dl4j_bridge.json in the zip records.
 */
public class RunAmpModel {
    public static void main(String[] args) throws IOException {
        MultiLayerNetwork net = MultiLayerNetwork.load(new File(args[0]), false);
        boolean skip = args.length > 3;
        ByteBuffer input = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[1])));
        INDArray x = Nd4j.zeros(DataType.FLOAT, 1, 1, 1);
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(Path.of(args[2])))) {
            while (input.hasRemaining()) {
                float sample = input.getFloat();
                x.putScalar(0, sample);
                float y = net.rnnTimeStep(x).getFloat(0);
                out.writeFloat(skip ? sample + y : y);
            }
        }
    }
}
