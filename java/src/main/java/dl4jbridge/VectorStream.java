package dl4jbridge;

import dl4jbridge.fused.OutputActivation;
import dl4jbridge.fused.SampleNetwork;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;

/** Runs vectors of one recording through a network, as {@link SampleStream} runs classes. */
public final class VectorStream {
    private final SampleNetwork network;
    private final OutputActivation activation;
    private final float[][] block; // inputs by sample
    private final float[] vectors; // all inputs of a block, or all outputs: one copy is faster than one a sample
    private final float[] results;
    private final SampleNetwork.Source source = this::begin;
    private final SampleNetwork.Sink sink = this::put;
    private final FloatView inputs = new FloatView();
    private final FloatView outputs = new FloatView();

    VectorStream(MultiLayerNetwork net) {
        network = new SampleNetwork(net);
        activation = new OutputActivation(network.activation(), network.outputs(), 1);
        block = new float[network.blockLength()][network.inputs()];
        vectors = new float[network.blockLength() * network.inputs()];
        results = new float[network.blockLength() * network.outputs()];
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
        int n = network.inputs();
        inputs.at(from * n).get(vectors, 0, count * n);
        for (int t = 0; t < count; t++) {
            System.arraycopy(vectors, t * n, block[t], 0, n);
        }
        network.beginDense(block, sums, count);
    }

    private void put(int from, float[][] sums, int count) {
        int n = network.outputs();
        for (int t = 0; t < count; t++) {
            activation.replace(sums[t], 1);
            System.arraycopy(sums[t], 0, results, t * n, n);
        }
        outputs.at(from * n).put(results, 0, count * n);
    }
}
