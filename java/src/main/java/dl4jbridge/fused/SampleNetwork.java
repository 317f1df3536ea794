package dl4jbridge.fused;

import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.IActivation;

/**
 * The layers of a network that takes one sample at a time, up to the sums before the activation of the output. Each
 * sample is computed on its own, so the sums do not depend on how a recording is cut into calls. It holds the state, and a
 * copy of the parameters as they were when it was made.
 */
public final class SampleNetwork {
    private final SampleLayer[] layers;
    private final IActivation activation;
    private final float[][] outputWeights;
    private final float[] outputBias;
    private final float[] sums;

    /** @throws IllegalArgumentException for a network with other layers */
    public SampleNetwork(MultiLayerNetwork net) {
        int recurrent = net.getnLayers() - 1;
        layers = new SampleLayer[recurrent];
        for (int i = 0; i < recurrent; i++) {
            layers[i] = new SampleLayer(net.getLayer(i));
        }
        org.deeplearning4j.nn.conf.layers.Layer last = net.getLayerWiseConfigurations().getConf(recurrent).getLayer();
        if (!(last instanceof RnnOutputLayer)) {
            throw new IllegalArgumentException("the last layer is not an RnnOutputLayer");
        }
        activation = ((RnnOutputLayer) last).getActivationFn();
        outputWeights = SampleLayer.rows(net.getOutputLayer().getParam("W"));
        outputBias = SampleLayer.vector(net.getOutputLayer().getParam("b"));
        sums = new float[outputBias.length];
    }

    /** The activation of the output, which the caller computes. */
    public IActivation activation() {
        return activation;
    }

    /** Number of inputs. */
    public int inputs() {
        return layers[0].inputs();
    }

    /** Number of outputs. */
    public int outputs() {
        return sums.length;
    }

    /** The sums of the last sample, [outputs]; the next sample overwrites them. */
    public float[] sums() {
        return sums;
    }

    /** Clears the state. */
    public void reset() {
        for (SampleLayer layer : layers) {
            layer.reset();
        }
    }

    /** Takes a one-hot input. */
    public void advanceOneHot(int oneHotClass) {
        layers[0].advanceOneHot(oneHotClass);
        advance();
    }

    /** @param x  [inputs] */
    public void advanceDense(float[] x) {
        layers[0].advanceDense(x);
        advance();
    }

    private void advance() {
        for (int i = 1; i < layers.length; i++) {
            layers[i].advanceDense(layers[i - 1].output());
        }
        System.arraycopy(outputBias, 0, sums, 0, sums.length);
        SampleLayer.addProduct(layers[layers.length - 1].output(), outputWeights, sums);
    }
}
