package dl4jbridge;

import dl4jbridge.fused.FusedLayers;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;

/**
 * Runs many recordings side by side through a network, with the state carried from call to call. It shares the
 * parameters of the network in training and nothing else, so training may continue between two calls.
 */
public final class BatchStream {
    private final MultiLayerNetwork net;

    BatchStream(MultiLayerNetwork net) {
        this.net = FusedLayers.sharing(net, net.getLayerWiseConfigurations().clone());
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
     * @param outputs   receives [batch, outputs, time], likewise
     */
    public void run(Tensor features, Tensor outputs, int steps) {
        outputs.firstSteps(steps).assign(net.rnnTimeStep(features.firstSteps(steps)));
    }
}
