package dl4jbridge;

import dl4jbridge.fused.AdamStep;
import dl4jbridge.fused.NeighbourSharing;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.solvers.BaseOptimizer;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A step of fused layers, one after the other, that ends with our Adam, after the classes have shared their gradient. */
final class AdamLayerStep extends LayerwiseStep {
    private final MultiLayerNetwork net;
    private final AdamStep adam;
    private final NeighbourSharing sharing;

    AdamLayerStep(MultiLayerNetwork net, StepMonitor monitor, AdamStep adam, NeighbourSharing sharing) {
        super(net, monitor);
        this.net = net;
        this.adam = adam;
        this.sharing = sharing;
    }

    @Override
    void optimize(INDArray x) {
        net.computeGradientAndScore();
        update((int) x.size(0));
    }

    @Override
    public void update(int batch) {
        update(batch, adam.squares());
    }

    /** @param squares  sum of the squares of each layer's gradient */
    void update(int batch, double[] squares) {
        sharing.apply(net.getIterationCount());
        adam.update(batch, net.getIterationCount(), squares);
        BaseOptimizer.incrementIterationCount(net, 1);
    }
}
