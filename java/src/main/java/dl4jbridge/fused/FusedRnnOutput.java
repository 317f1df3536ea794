package dl4jbridge.fused;

import java.util.Collection;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.LayerValidation;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.lossfunctions.impl.LossMCXENT;
import org.nd4j.linalg.lossfunctions.impl.LossMSE;

/**
 * An RnnOutputLayer that computes loss and gradient in one pass: softmax with cross-entropy over class indices, or a linear
 * or sigmoid output with mean squared error.
 */
public final class FusedRnnOutput extends RnnOutputLayer {
    private static final long serialVersionUID = 1L;

    static boolean covers(RnnOutputLayer layer) {
        return (isSoftmax(layer) || isSquaredError(layer))
                && layer.getRnnDataFormat() != RNNFormat.NWC
                && layer.hasBias()
                && FusedLayers.onCpu();
    }

    private static boolean isSoftmax(RnnOutputLayer layer) {
        return layer.getActivationFn() instanceof ActivationSoftmax
                && layer.getLossFn() instanceof LossMCXENT
                && ((LossMCXENT) layer.getLossFn()).getWeights() == null
                && ((LossMCXENT) layer.getLossFn()).getSoftmaxClipEps() == SoftmaxCrossEntropy.CLIP;
    }

    private static boolean isSquaredError(RnnOutputLayer layer) {
        return (layer.getActivationFn() instanceof ActivationIdentity || isSigmoid(layer))
                && layer.getLossFn() instanceof LossMSE
                && ((LossMSE) layer.getLossFn()).getWeights() == null;
    }

    private static boolean isSigmoid(RnnOutputLayer layer) {
        return layer.getActivationFn() instanceof ActivationSigmoid;
    }

    OutputLoss loss() {
        return isSoftmax(this) ? new SoftmaxCrossEntropy() : new SquaredError(isSigmoid(this));
    }

    @Override
    public Layer instantiate(NeuralNetConfiguration conf, Collection<TrainingListener> listeners, int index,
            INDArray parameters, boolean initialize, DataType dataType) {
        LayerValidation.assertNInNOutSet("FusedRnnOutput", getLayerName(), index, getNIn(), getNOut());
        if (!covers(this) || dataType != DataType.FLOAT) {
            throw new IllegalArgumentException("layer " + index + ": FusedRnnOutput computes FLOAT, softmax and MCXENT "
                    + "or a linear or sigmoid output and MSE, with a bias on the CPU; found " + dataType + ", "
                    + getActivationFn() + ", " + getLossFn());
        }
        return FusedLayers.assemble(new FusedRnnOutputLayer(conf, dataType), initializer(), conf, listeners, index,
                parameters, initialize);
    }
}
