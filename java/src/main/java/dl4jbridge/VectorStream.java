package dl4jbridge;

import dl4jbridge.fused.SampleNetwork;
import dl4jbridge.fused.Softmax;
import java.nio.FloatBuffer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;

/** Runs vectors through a network one at a time, as {@link SampleStream} runs classes. */
public final class VectorStream {
    private final SampleNetwork network;
    private final IActivation activation;
    private final Softmax softmax;
    private final float[] input;
    private final FloatView inputs = new FloatView();
    private final FloatView outputs = new FloatView();

    VectorStream(MultiLayerNetwork net) {
        network = new SampleNetwork(net);
        activation = network.activation();
        if (!(activation instanceof ActivationIdentity || activation instanceof ActivationSigmoid
                || activation instanceof ActivationSoftmax)) {
            throw new IllegalArgumentException("the output is not linear, sigmoid or softmax but " + activation);
        }
        softmax = new Softmax(network.outputs(), 1);
        input = new float[network.inputs()];
    }

    /** Clears the state. */
    public void reset() {
        network.reset();
    }

    /**
     * Consumes {@code n} vectors and writes the output after each. Allocates nothing if the tensors are those of the last
     * call.
     *
     * @param vectors  at least [n, inputs], FLOAT, 'c' order
     * @param results  receives [n, outputs], likewise
     */
    public void run(Tensor vectors, Tensor results, int n) {
        FloatBuffer in = inputs.of(vectors);
        FloatBuffer out = outputs.of(results);
        for (int t = 0; t < n; t++) {
            in.get(input);
            network.advanceDense(input);
            activate(network.sums());
            out.put(network.sums());
        }
    }

    private void activate(float[] y) {
        if (activation instanceof ActivationSoftmax) {
            softmax.replace(y, 1);
        } else if (activation instanceof ActivationSigmoid) {
            for (int i = 0; i < y.length; i++) {
                y[i] = (float) (1 / (1 + Math.exp(-y[i])));
            }
        }
    }
}
