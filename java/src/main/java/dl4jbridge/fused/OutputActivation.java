package dl4jbridge.fused;

import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;

/** The activation of an output layer on rows of sums: linear, sigmoid or softmax. */
public final class OutputActivation {
    private final IActivation kind;
    private final int outputs;
    private final Softmax softmax;

    /**
     * @param rows  largest number of rows of a call
     * @throws IllegalArgumentException for another activation
     */
    public OutputActivation(IActivation kind, int outputs, int rows) {
        if (!(kind instanceof ActivationIdentity || kind instanceof ActivationSigmoid
                || kind instanceof ActivationSoftmax)) {
            throw new IllegalArgumentException("the output is not linear, sigmoid or softmax but " + kind);
        }
        this.kind = kind;
        this.outputs = outputs;
        softmax = kind instanceof ActivationSoftmax ? new Softmax(outputs, rows) : null;
    }

    /** Replaces the sums of the first {@code rows} rows of {@code y}, [rows, outputs]. */
    public void replace(float[] y, int rows) {
        if (softmax != null) {
            softmax.replace(y, rows);
        } else if (kind instanceof ActivationSigmoid) {
            for (int i = 0; i < rows * outputs; i++) {
                y[i] = (float) (1 / (1 + Math.exp(-y[i])));
            }
        }
    }
}
