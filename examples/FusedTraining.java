import dl4jbridge.fused.FusedLayers;
import dl4jbridge.fused.GradientState;
import dl4jbridge.fused.PointwiseMath;
import dl4jbridge.fused.Workers;
import java.io.File;
import java.io.IOException;
import java.util.Random;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.distribution.NormalDistribution;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/**
 * Trains a GravesLSTM of DL4J through the fused layers of dl4j_bridge, and saves it with DL4J's own layers.
 *
 * <p>Usage: java -cp DL4J_JARS:dl4j-bridge.jar FusedTraining.java MODEL.zip [BATCHES]
 *
 * <p>The task is a toy: the target at each time step is the class of the time step before.
 */
@SuppressWarnings("deprecation") // GravesLSTM
public class FusedTraining {
    private static final int CLASSES = 256;

    public static void main(String[] args) throws IOException {
        // Your network, unchanged.
        MultiLayerConfiguration stock = new NeuralNetConfiguration.Builder()
                .seed(1)
                .updater(new Adam(0.01))
                .gradientNormalization(GradientNormalization.ClipL2PerLayer).gradientNormalizationThreshold(1)
                .list()
                .layer(new GravesLSTM.Builder().nOut(64).activation(Activation.TANH)
                        .weightInit(new NormalDistribution(0, 1)).weightInitRecurrent(WeightInit.XAVIER).build())
                .layer(new RnnOutputLayer.Builder(LossFunctions.LossFunction.MCXENT)
                        .nOut(CLASSES).activation(Activation.SOFTMAX).build())
                .setInputType(InputType.recurrent(CLASSES))
                .backpropType(BackpropType.TruncatedBPTT).tBPTTLength(50)
                .build();

        // The same network in fused layers. Layers that they do not cover stay as they are.
        MultiLayerNetwork net = new MultiLayerNetwork(
                FusedLayers.toFused(stock, GradientState.CARRIED, PointwiseMath.RATIONAL));
        net.init();
        Workers.setThreads(2);

        Random random = new Random(1);
        for (int i = 0; i < (args.length > 1 ? Integer.parseInt(args[1]) : 20); i++) {
            INDArray[] pair = pair(random);
            net.fit(pair[0], pair[1]);
            System.out.printf("batch %d: score %.2f%n", i, net.score());
        }

        // Back to DL4J's own layers, around the same parameters: any DL4J program loads the file.
        MultiLayerConfiguration saved = FusedLayers.toStock(net.getLayerWiseConfigurations());
        FusedLayers.around(net, saved).save(new File(args[0]), true);
    }

    private static INDArray[] pair(Random random) {
        int batch = 16;
        int length = 200;
        INDArray x = Nd4j.create(new int[] {batch, CLASSES, length}, 'f');
        INDArray y = Nd4j.create(new int[] {batch, CLASSES, length}, 'f');
        for (int b = 0; b < batch; b++) {
            int before = 0;
            for (int t = 0; t < length; t++) {
                int now = random.nextInt(CLASSES);
                x.putScalar(b, now, t, 1);
                y.putScalar(b, before, t, 1);
                before = now;
            }
        }
        return new INDArray[] {x, y};
    }
}
