package dl4jbridge.fused;

import java.util.Collection;
import java.util.Objects;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.LayerValidation;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationTanH;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A GravesLSTM with the same parameters and the same numbers, computed a segment at a time. {@link FusedLayers} makes
 * one from a stock configuration, and a stock configuration from one.
 */
@SuppressWarnings("deprecation") // GravesLSTM
public final class FusedGravesLSTM extends GravesLSTM {
    private static final long serialVersionUID = 1L;

    /** From which state the backward pass of a truncated-BPTT segment starts. */
    public enum GradientState {
        /** The state that the forward pass started from: the gradient of the loss that was computed. */
        CARRIED,
        /** Zero, as DL4J M2.1 does it: MultiLayerNetwork never calls tbpttBackpropGradient. */
        STOCK
    }

    private GradientState gradientState = GradientState.CARRIED;
    private PointwiseMath math = PointwiseMath.RATIONAL;

    public GradientState getGradientState() {
        return gradientState;
    }

    public void setGradientState(GradientState gradientState) {
        this.gradientState = Objects.requireNonNull(gradientState);
    }

    public PointwiseMath getMath() {
        return math;
    }

    public void setMath(PointwiseMath math) {
        this.math = Objects.requireNonNull(math);
    }

    /** True for what the fused layer computes: tanh, sigmoid gates, [batch, size, time], on the CPU. */
    static boolean covers(GravesLSTM layer) {
        return hasTanhAndSigmoid(layer)
                && layer.getRnnDataFormat() != RNNFormat.NWC
                && onCpu();
    }

    /** True for the usual activations: tanh, and sigmoid gates. */
    public static boolean hasTanhAndSigmoid(GravesLSTM layer) {
        return layer.getActivationFn() instanceof ActivationTanH
                && layer.getGateActivationFn() instanceof ActivationSigmoid;
    }

    static boolean onCpu() {
        return Nd4j.getBackend().getClass().getSimpleName().equals("CpuBackend");
    }

    @Override
    public Layer instantiate(NeuralNetConfiguration conf, Collection<TrainingListener> listeners, int index,
            INDArray parameters, boolean initialize, DataType dataType) {
        LayerValidation.assertNInNOutSet("FusedGravesLSTM", getLayerName(), index, getNIn(), getNOut());
        if (!covers(this) || dataType != DataType.FLOAT) {
            throw new IllegalArgumentException("layer " + index + ": FusedGravesLSTM computes FLOAT, tanh and sigmoid on "
                    + "[batch, size, time] on the CPU; found " + dataType + ", " + getActivationFn() + ", "
                    + getGateActivationFn() + ", " + getRnnDataFormat() + "; FusedLayers.toStock gives the stock layer");
        }
        return FusedLayers.assemble(new FusedGravesLSTMLayer(conf, dataType), initializer(), conf, listeners, index,
                parameters, initialize);
    }

    @Override
    public boolean equals(Object other) {
        return super.equals(other) && other instanceof FusedGravesLSTM
                && gradientState == ((FusedGravesLSTM) other).gradientState && math == ((FusedGravesLSTM) other).math;
    }

    @Override
    public int hashCode() {
        return Objects.hash(super.hashCode(), gradientState, math);
    }
}
