package dl4jbridge;

import dl4jbridge.fused.FusedBatch;
import dl4jbridge.fused.FusedLayers;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;

/**
 * Runs many recordings side by side through a network, with the state carried from call to call. It shares the
 * parameters of the network in training and nothing else, so training may continue between two calls.
 */
public final class BatchStream {
    private final MultiLayerNetwork net;
    private final FusedBatch fused; // null where DL4J computes

    BatchStream(MultiLayerNetwork net) {
        this.net = FusedLayers.sharing(net, net.getLayerWiseConfigurations().clone());
        fused = FusedBatch.of(this.net);
    }

    /** Continues from a copy of the state that training carries, or from zeros if {@code empty}. */
    public void continueFrom(Network training, boolean empty) {
        net.rnnClearPreviousState();
        if (!empty) {
            training.state().forEach((key, value) -> Network.putState(net, key, value));
        }
    }

    /**
     * Computes the outputs of the first {@code steps} time steps.
     *
     * @param features  [batch, inputs, time], FLOAT, 'f' order
     * @param outputs   receives [batch, time, outputs], FLOAT, 'c' order
     */
    public void run(Tensor features, Tensor outputs, int steps) {
        INDArray x = features.firstSteps(steps);
        if (fused != null) {
            fused.run(x, outputs.array());
        } else {
            outputs.array().get(NDArrayIndex.all(), NDArrayIndex.interval(0, steps), NDArrayIndex.all())
                    .assign(net.rnnTimeStep(x).permute(0, 2, 1));
        }
    }
}
