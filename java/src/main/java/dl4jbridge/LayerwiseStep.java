package dl4jbridge;

import dl4jbridge.fused.FusedRecurrentLayer;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** A step whose gradient DL4J computes, layer by layer: the arithmetic of MultiLayerNetwork.doTruncatedBPTT. */
abstract class LayerwiseStep implements Step {
    private final MultiLayerNetwork net;
    private final StepMonitor monitor;

    LayerwiseStep(MultiLayerNetwork net, StepMonitor monitor) {
        this.net = net;
        this.monitor = monitor;
    }

    /** Computes the gradient of the network's input and labels, and updates the parameters. */
    abstract void optimize(INDArray x);

    @Override
    public double[] run(INDArray x, INDArray y, long seed) {
        return compute(x, y, seed, () -> optimize(x));
    }

    @Override
    public double[] computeGradient(INDArray x, INDArray y, long seed) {
        return compute(x, y, seed, net::computeGradientAndScore);
    }

    private double[] compute(INDArray x, INDArray y, long seed, Runnable work) {
        Nd4j.getRandom().setSeed(seed);
        monitor.expect(y);
        net.setInput(x);
        net.setLabels(y);
        setInputGradientUnused(true);
        try {
            work.run();
        } finally {
            setInputGradientUnused(false);
        }
        net.updateRnnStateWithTBPTTState();
        return new double[] {monitor.loss(), monitor.accuracy()};
    }

    /** No optimizer reads the gradient of the network's input. */
    private void setInputGradientUnused(boolean unused) {
        Layer first = net.getLayer(0);
        if (first instanceof FusedRecurrentLayer) {
            ((FusedRecurrentLayer) first).setInputGradientUnused(unused);
        }
    }
}
