package dl4jbridge;

import dl4jbridge.fused.Cells;
import dl4jbridge.fused.FusedLayers;
import dl4jbridge.fused.GradientState;
import dl4jbridge.fused.PointwiseMath;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.distribution.NormalDistribution;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.weights.WeightInit;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.learning.config.AdaGrad;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.learning.regularization.L2Regularization;
import org.nd4j.linalg.learning.regularization.Regularization;
import org.nd4j.linalg.learning.regularization.WeightDecay;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/** Makes DL4J's configuration of {@link NetworkSettings}: recurrent layers, then an output layer with its loss. */
final class NetworkConfiguration {
    private NetworkConfiguration() {}

    static MultiLayerConfiguration of(NetworkSettings s) {
        NeuralNetConfiguration.Builder global = new NeuralNetConfiguration.Builder()
                .seed(s.seed)
                .weightInit(WeightInit.XAVIER)
                .updater(updater(s.updater, s.learningRate));
        if (s.clip > 0) {
            global.gradientNormalization(GradientNormalization.ClipL2PerLayer).gradientNormalizationThreshold(s.clip);
        }
        NeuralNetConfiguration.ListBuilder list = global.list();
        for (int i = 0; i < s.layers; i++) {
            list.layer(recurrentLayer(s, i));
        }
        MultiLayerConfiguration stock = list.layer(outputLayer(s))
                .backpropType(BackpropType.TruncatedBPTT)
                .tBPTTForwardLength(s.tbptt)
                .tBPTTBackwardLength(s.tbptt)
                .build();
        return withLayers(stock, s);
    }

    /** Converts a stock configuration to the kind of layers that the settings name. */
    static MultiLayerConfiguration withLayers(MultiLayerConfiguration stock, NetworkSettings s) {
        switch (s.layer) {
            case "stock": return stock;
            case "fused": return FusedLayers.toFused(stock,
                    GradientState.valueOf(s.gradientState.toUpperCase(Locale.ROOT)), PointwiseMath.RATIONAL);
            default: throw new IllegalArgumentException("layer: unknown " + s.layer);
        }
    }

    private static RnnOutputLayer outputLayer(NetworkSettings s) {
        boolean softmax = s.output.equals("softmax");
        RnnOutputLayer.Builder output = new RnnOutputLayer.Builder(
                softmax ? LossFunctions.LossFunction.MCXENT : LossFunctions.LossFunction.MSE)
                .activation(outputActivation(s.output))
                .dataFormat(RNNFormat.NCW)
                .nIn(s.hidden)
                .nOut(s.outputs);
        output.regularization(regularization(s));
        if (s.init.equals("wide")) {
            output.weightInit(wide(s.hidden + s.outputs));
        }
        if (s.dropout > 0) {
            output.dropOut(1 - s.dropout);
        }
        return output.build();
    }

    private static Activation outputActivation(String name) {
        switch (name) {
            case "softmax": return Activation.SOFTMAX;
            case "linear": return Activation.IDENTITY;
            case "sigmoid": return Activation.SIGMOID;
            default: throw new IllegalArgumentException("output: unknown " + name);
        }
    }

    private static AbstractLSTM recurrentLayer(NetworkSettings s, int index) {
        AbstractLSTM.Builder<?> b = Cells.named(s.cell).builder();
        b.activation(Activation.TANH).nIn(index == 0 ? s.inputs : s.hidden).nOut(s.hidden);
        b.regularization(regularization(s));
        initializeWeights(b, s, index);
        // Dropping the one active input of a one-hot vector would drop the sample itself.
        if (index > 0 && s.dropout > 0) {
            b.dropOut(1 - s.dropout);
        }
        AbstractLSTM layer = b.build();
        layer.setRnnDataFormat(RNNFormat.NCW);
        return layer;
    }

    private static void initializeWeights(AbstractLSTM.Builder<?> b, NetworkSettings s, int index) {
        if (!List.of("xavier", "one-hot", "wide").contains(s.init)) {
            throw new IllegalArgumentException("init: unknown " + s.init);
        }
        if (index == 0 && s.input.equals("one-hot") && !s.init.equals("xavier")) {
            // XAVIER scales for nIn active inputs. A one-hot vector has one, so unit weights give unit activations.
            b.weightInit(new NormalDistribution(0, 1)).weightInitRecurrent(WeightInit.XAVIER);
        } else if (index > 0 && s.init.equals("wide")) {
            b.weightInit(wide(3 * s.hidden)).weightInitRecurrent(WeightInit.XAVIER);
        }
    }

    /** Twice XAVIER, since the layer below is an LSTM, whose outputs are far smaller than 1 at first. */
    private static NormalDistribution wide(int fanInAndOut) {
        return new NormalDistribution(0, 2 * Math.sqrt(2.0 / fanInAndOut));
    }

    /** Set in each layer, since M2.1 applies a weight decay of the global configuration twice. */
    private static List<Regularization> regularization(NetworkSettings s) {
        List<Regularization> all = new ArrayList<>();
        if (s.l2 > 0) {
            all.add(new L2Regularization(s.l2));
        }
        if (s.weightDecay > 0) {
            all.add(new WeightDecay(s.weightDecay, false));
        }
        return all;
    }

    private static IUpdater updater(String name, double learningRate) {
        switch (name) {
            case "adam": return new Adam(learningRate);
            case "rmsprop": return new RmsProp(learningRate);
            case "nesterovs": return new Nesterovs(learningRate);
            case "adagrad": return new AdaGrad(learningRate);
            case "sgd": return new Sgd(learningRate);
            default: throw new IllegalArgumentException("updater: unknown " + name);
        }
    }
}
