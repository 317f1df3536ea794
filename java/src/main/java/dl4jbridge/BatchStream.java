package dl4jbridge;

import dl4jbridge.fused.FusedLayers;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;

/**
 * Many recordings side by side through a network, with the state carried from call to call. It shares the parameters
 * of the network that it was made of, and nothing else: training may go on between two calls.
 */
public final class BatchStream {
    private final MultiLayerNetwork net;

    BatchStream(MultiLayerNetwork net) {
        this.net = FusedLayers.sharing(net, net.getLayerWiseConfigurations().clone());
    }

    /** Goes on from the state that training carries, or from an empty one; training's own is left as it is. */
    public void goOnFrom(Network training, boolean empty) {
        net.rnnClearPreviousState();
        if (!empty) {
            training.state().forEach((key, value) -> Network.putState(net, key, value));
        }
    }

    /** Reads {@code steps} of [batch, inputs, time] and writes as many of the outputs, likewise laid. */
    public void run(Tensor features, Tensor outputs, int steps) {
        outputs.firstSteps(steps).assign(net.rnnTimeStep(features.firstSteps(steps)));
    }
}
