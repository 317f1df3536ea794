import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;
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
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/**
 * DL4J's character example on 8-bit samples, learning to reproduce its input; nothing but DL4J 1.0.0-M2.1.
 *
 * <p>Usage: java -cp DL4J_JARS IdentityThatConverges.java RECORDING.wav [hidden=200] [batches=5] [batch=32] [--posted]
 *
 * <p>The wav is 8-bit mono. A batch of windows of 1000 samples is 20 updates. After each batch a line reports the
 * accuracy on the next batch, before the network is trained on it. With --posted, the numbered settings are those
 * of the example. Set OMP_NUM_THREADS=1, since ND4J's threads cost more than they save at this size.
 */
@SuppressWarnings("deprecation") // GravesLSTM
public class IdentityThatConverges {
    private static final int CLASSES = 256;
    private static final int WINDOW = 1000;
    private static final int SEGMENT = 50;

    public static void main(String[] args) throws IOException, UnsupportedAudioFileException {
        List<String> options = Arrays.asList(args);
        boolean posted = options.contains("--posted");
        byte[] samples = read(new File(args[0]));
        int batch = number(options, "batch", 32);
        MultiLayerNetwork net = new MultiLayerNetwork(configuration(number(options, "hidden", 200), posted));
        net.init();
        Random random = new Random(12345);
        if (!posted) {
            makeNeighboursSimilar(net.getLayer(0).getParam("W"), random);
        }
        int[] starts = starts(samples, batch, random);
        for (int i = 1; i <= number(options, "batches", 5); i++) {
            INDArray oneHot = oneHot(samples, starts);
            net.fit(oneHot, oneHot);
            starts = starts(samples, batch, random);
            System.out.printf("after %d updates: accuracy %.4f%n", i * WINDOW / SEGMENT, accuracy(net, samples, starts));
        }
    }

    private static MultiLayerConfiguration configuration(int hidden, boolean posted) {
        NeuralNetConfiguration.Builder common =
                new NeuralNetConfiguration.Builder().seed(12345).weightInit(WeightInit.XAVIER);
        GravesLSTM.Builder first = new GravesLSTM.Builder().nIn(CLASSES).nOut(hidden).activation(Activation.TANH);
        if (posted) {
            common.updater(new RmsProp(0.1)).l2(0.001);
        } else {
            // 1. XAVIER scales for 256 active inputs. A one-hot vector has one, so it needs unit weights;
            // makeNeighboursSimilar then gives the first layer better ones of that size.
            first.weightInit(new NormalDistribution(0, 1)).weightInitRecurrent(WeightInit.XAVIER);
            // 2. Since 1.0.0-beta3 a learning rate of 0.1 has 32 times the effect it had when the example was written.
            common.updater(new Adam(0.005));
            // 3. Clipping keeps the first steps from overshooting.
            common.gradientNormalization(GradientNormalization.ClipL2PerLayer).gradientNormalizationThreshold(1);
        }
        return common.list()
                .layer(first.build())
                .layer(new GravesLSTM.Builder().nIn(hidden).nOut(hidden).activation(Activation.TANH).build())
                .layer(new RnnOutputLayer.Builder(LossFunctions.LossFunction.MCXENT)
                        .activation(Activation.SOFTMAX).nIn(hidden).nOut(CLASSES).build())
                .backpropType(BackpropType.TruncatedBPTT)
                .tBPTTForwardLength(SEGMENT)
                .tBPTTBackwardLength(SEGMENT)
                // Sets the last axis to time in all layers; by hand it would be setRnnDataFormat(RNNFormat.NCW) on
                // each GravesLSTM and dataFormat(RNNFormat.NCW) on the output layer.
                .setInputType(InputType.recurrent(CLASSES))
                .build();
    }

    /**
     * 4. To a one-hot network the samples 127 and 128 are strangers. Here most units start as smooth functions of the
     * sample: cosines with a quarter of a period to 32 periods over all classes. The others tell neighbours apart.
     */
    private static void makeNeighboursSimilar(INDArray weights, Random random) {
        for (int column = 0; column < weights.columns(); column++) {
            if (random.nextDouble() < 0.15) {
                continue;
            }
            double frequency = 0.25 * Math.pow(128, random.nextDouble());
            double phase = 2 * Math.PI * random.nextDouble();
            for (int sample = 0; sample < CLASSES; sample++) {
                double angle = Math.PI * frequency * (sample / 127.5 - 1) + phase;
                weights.putScalar(sample, column, Math.sqrt(2) * Math.cos(angle));
            }
        }
    }

    /** [window, class, time] in 'f' order; a Java byte is signed, so its upper half needs the mask. */
    private static INDArray oneHot(byte[] samples, int[] starts) {
        INDArray oneHot = Nd4j.create(new int[] {starts.length, CLASSES, WINDOW}, 'f');
        for (int row = 0; row < starts.length; row++) {
            for (int time = 0; time < WINDOW; time++) {
                oneHot.putScalar(new int[] {row, samples[starts[row] + time] & 0xFF, time}, 1.0);
            }
        }
        return oneHot;
    }

    private static double accuracy(MultiLayerNetwork net, byte[] samples, int[] starts) {
        // The most probable class. The character example samples from the distribution instead, which adds noise.
        INDArray likeliest = net.output(oneHot(samples, starts)).argMax(1);
        int right = 0;
        for (int row = 0; row < starts.length; row++) {
            for (int time = 0; time < WINDOW; time++) {
                right += likeliest.getInt(row, time) == (samples[starts[row] + time] & 0xFF) ? 1 : 0;
            }
        }
        return (double) right / (starts.length * WINDOW);
    }

    private static int[] starts(byte[] samples, int count, Random random) {
        return random.ints(count, 0, samples.length - WINDOW + 1).toArray();
    }

    private static byte[] read(File wav) throws IOException, UnsupportedAudioFileException {
        try (AudioInputStream in = AudioSystem.getAudioInputStream(wav)) {
            AudioFormat format = in.getFormat();
            if (format.getSampleSizeInBits() != 8 || format.getChannels() != 1) {
                throw new UnsupportedAudioFileException(wav + " is " + format + "; wanted 8 bits, mono");
            }
            return in.readAllBytes();
        }
    }

    private static int number(List<String> options, String name, int otherwise) {
        return options.stream().filter(o -> o.startsWith(name + "=")).findFirst()
                .map(o -> Integer.parseInt(o.substring(name.length() + 1))).orElse(otherwise);
    }
}
