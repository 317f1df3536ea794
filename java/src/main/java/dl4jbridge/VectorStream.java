package dl4jbridge;

import dl4jbridge.fused.SampleNetwork;
import dl4jbridge.fused.Softmax;
import java.nio.FloatBuffer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;

/** Runs vectors of one recording through a network, as {@link SampleStream} runs classes. */
public final class VectorStream {
    private final SampleNetwork network;
    private final IActivation activation;
    private final Softmax softmax;
    private final float[][] block;
    private final SampleNetwork.Source source = this::begin;
    private final SampleNetwork.Sink sink = this::put;
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
        block = new float[network.blockLength()][network.inputs()];
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
        inputs.of(vectors);
        outputs.of(results);
        network.run(n, source, sink);
    }

    private void begin(int from, float[][] sums, int count) {
        FloatBuffer in = inputs.at(from * network.inputs());
        for (int t = 0; t < count; t++) {
            in.get(block[t]);
        }
        network.beginDense(block, sums, count);
    }

    private void put(int from, float[][] sums, int count) {
        FloatBuffer out = outputs.at(from * network.outputs());
        for (int t = 0; t < count; t++) {
            activate(sums[t]);
            out.put(sums[t]);
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
