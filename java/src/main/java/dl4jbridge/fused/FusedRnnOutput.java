package dl4jbridge.fused;

import java.util.Collection;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.LayerValidation;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.lossfunctions.impl.LossMCXENT;

/** An RnnOutputLayer with softmax and cross-entropy that takes loss and gradient in one pass over class indices. */
public final class FusedRnnOutput extends RnnOutputLayer {
    private static final long serialVersionUID = 1L;

    static boolean covers(RnnOutputLayer layer) {
        return layer.getActivationFn() instanceof ActivationSoftmax
                && layer.getLossFn() instanceof LossMCXENT
                && ((LossMCXENT) layer.getLossFn()).getWeights() == null
                && ((LossMCXENT) layer.getLossFn()).getSoftmaxClipEps() == SoftmaxCrossEntropy.CLIP
                && layer.getRnnDataFormat() != RNNFormat.NWC
                && layer.hasBias()
                && FusedGravesLSTM.onCpu();
    }

    @Override
    public Layer instantiate(NeuralNetConfiguration conf, Collection<TrainingListener> listeners, int index,
            INDArray parameters, boolean initialize, DataType dataType) {
        LayerValidation.assertNInNOutSet("FusedRnnOutput", getLayerName(), index, getNIn(), getNOut());
        if (!covers(this) || dataType != DataType.FLOAT) {
            throw new IllegalArgumentException("layer " + index + ": FusedRnnOutput computes FLOAT, softmax and MCXENT "
                    + "with a bias on the CPU; found " + dataType + ", " + getActivationFn() + ", " + getLossFn());
        }
        return FusedLayers.assemble(new FusedRnnOutputLayer(conf, dataType), initializer(), conf, listeners, index,
                parameters, initialize);
    }
}
