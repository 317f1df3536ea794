package dl4jbridge;

import dl4jbridge.fused.FusedStack;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A step of all fused layers at once; segments that {@link FusedStack} does not cover go layer by layer. */
final class StackStep implements Step {
    private final MultiLayerNetwork net;
    private final FusedStack stack;
    private final AdamLayerStep layerByLayer;

    StackStep(MultiLayerNetwork net, FusedStack stack, AdamLayerStep layerByLayer) {
        this.net = net;
        this.stack = stack;
        this.layerByLayer = layerByLayer;
    }

    @Override
    public double[] run(INDArray x, INDArray y, long seed) {
        if (!computes(x, y)) {
            return layerByLayer.run(x, y, seed);
        }
        layerByLayer.update((int) x.size(0), stack.squares());
        return new double[] {stack.loss(), stack.accuracy()};
    }

    @Override
    public double[] computeGradient(INDArray x, INDArray y, long seed) {
        return computes(x, y) ? new double[] {stack.loss(), stack.accuracy()} : layerByLayer.computeGradient(x, y, seed);
    }

    @Override
    public void update(int batch) {
        layerByLayer.update(batch);
    }

    /** Computes the gradient, unless the stack cannot. */
    private boolean computes(INDArray x, INDArray y) {
        // A listener other than our own expects DL4J's calls.
        return net.getListeners().size() == 1 && stack.computeGradient(x, y);
    }
}
