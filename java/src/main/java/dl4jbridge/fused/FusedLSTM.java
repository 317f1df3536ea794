package dl4jbridge.fused;

import java.util.Collection;
import java.util.Objects;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * DL4J's LSTM, which has no peepholes, computed a segment at a time. Parameters: W [nIn, 4H], RW [H, 4H], b [1, 4H],
 * FLOAT, 'f' order. {@link FusedLayers} converts a stock configuration to this one and back.
 *
 * <p>DL4J leaves the mask out of this layer's backward pass; {@link GradientState#STOCK} reproduces that.
 */
public final class FusedLSTM extends LSTM implements FusedCell {
    static final Cell CELL = new Cell("lstm", LSTM.class, FusedLSTM.class, LSTM.Builder::new, false, false);
    private static final long serialVersionUID = 1L;

    private GradientState gradientState = GradientState.CARRIED;
    private PointwiseMath math = PointwiseMath.RATIONAL;

    @Override
    public Cell cell() {
        return CELL;
    }

    @Override
    public GradientState getGradientState() {
        return gradientState;
    }

    @Override
    public void setGradientState(GradientState gradientState) {
        this.gradientState = Objects.requireNonNull(gradientState);
    }

    @Override
    public PointwiseMath getMath() {
        return math;
    }

    @Override
    public void setMath(PointwiseMath math) {
        this.math = Objects.requireNonNull(math);
    }

    @Override
    public Layer instantiate(NeuralNetConfiguration conf, Collection<TrainingListener> listeners, int index,
            INDArray parameters, boolean initialize, DataType dataType) {
        return FusedRecurrentLayer.of(this, conf, listeners, index, parameters, initialize, dataType);
    }

    @Override
    public boolean equals(Object other) {
        return super.equals(other) && other instanceof FusedLSTM
                && gradientState == ((FusedLSTM) other).gradientState && math == ((FusedLSTM) other).math;
    }

    @Override
    public int hashCode() {
        return Objects.hash(super.hashCode(), gradientState, math);
    }
}
