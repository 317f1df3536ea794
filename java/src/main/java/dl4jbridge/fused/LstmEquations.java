package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.BLOCK_INPUT;
import static dl4jbridge.fused.Gates.FORGET;
import static dl4jbridge.fused.Gates.FORGET_PEEPHOLE;
import static dl4jbridge.fused.Gates.GATES;
import static dl4jbridge.fused.Gates.INPUT;
import static dl4jbridge.fused.Gates.INPUT_PEEPHOLE;
import static dl4jbridge.fused.Gates.OUTPUT;
import static dl4jbridge.fused.Gates.OUTPUT_PEEPHOLE;
import static dl4jbridge.fused.Gates.PEEPHOLES;

import java.util.Arrays;

/**
 * The point-wise half of an LSTM, for one thread's part of the batch: equations 7 to 11 of Graves (2013), "Generating
 * Sequences With Recurrent Neural Networks", as DL4J's LSTMHelpers computes them. With z the sums over inputs and
 * outputs that the matrix products leave, c the memory cell and p the peepholes:
 *
 * <pre>
 *   a(t) = tanh(z_a)                          block input
 *   f(t) = sigmoid(z_f + p_f c(t-1))          forget gate
 *   i(t) = sigmoid(z_i + p_i c(t-1))          input gate
 *   c(t) = f(t) c(t-1) + i(t) a(t)
 *   o(t) = sigmoid(z_o + p_o c(t))            output gate
 *   h(t) = o(t) tanh(c(t))
 * </pre>
 *
 * <p>Back, with dh and dc the gradients of h(t) and of c(t), and d the gradients of z ("deltas"):
 *
 * <pre>
 *   d_o = dh tanh(c) o (1 - o)
 *   dc += dh o (1 - tanh(c)^2) + d_o p_o
 *   d_f = dc c(t-1) f (1 - f)
 *   d_i = dc a i (1 - i)
 *   d_a = dc i (1 - a^2)
 *   dc(t-1) = dc f + d_f p_f + d_i p_i
 * </pre>
 *
 * <p>The penalty of {@link FusedRecurrentLayer#setCellPenalty} adds to dc.
 *
 * <p>A cell without peepholes has p = 0, and no gradient of p. A masked step (0 in the mask) has h = 0 and c = 0.
 */
final class LstmEquations {
    /** Memory cells up to this size are free of the penalty. Their tanh is within 1e-8 of 1. */
    static final float LARGEST_CELL = 10f;

    private final Cell kind;
    private final PointwiseMath math;
    private final float cellPenalty;
    private final int from;
    private final int rows;
    private final int size;
    private final int batch;
    private final int length; // of a step: [row, unit], as all arrays here
    private float[] mask; // [step, batch] of the whole batch, or null

    final float[][] cell; // [1 + step]: the first is the state before the segment
    final float[][] z; // [gate]: of one step
    final float[] h; // one step
    final float[] error; // one step: in, the gradient of h
    final float[][] delta; // [gate]: of one step
    final float[][] peepholeSum;
    private final float[][][] gate; // [gate][step]: activations; far from the cache, so each is written once
    private final float[] cellTanh; // one step
    private final float[] dCell;
    private final float[][] peephole; // the same for each row

    /** @param forwardOnly  true if no backward pass follows: all steps then share the memory of two */
    LstmEquations(
            Cell kind, PointwiseMath math, float cellPenalty, boolean forwardOnly, Shape shape, int from, int to) {
        this.kind = kind;
        this.math = math;
        this.cellPenalty = cellPenalty;
        this.from = from;
        rows = to - from;
        size = shape.size;
        batch = shape.batch;
        length = rows * size;
        cell = steps(shape.steps + 1, forwardOnly);
        z = new float[GATES][length];
        h = new float[length];
        error = new float[length];
        delta = new float[GATES][length];
        peepholeSum = new float[PEEPHOLES][length];
        gate = new float[GATES][][];
        for (int g = 0; g < GATES; g++) {
            gate[g] = steps(shape.steps, forwardOnly);
        }
        cellTanh = new float[length];
        dCell = new float[length];
        peephole = new float[PEEPHOLES][length];
    }

    private float[][] steps(int n, boolean forwardOnly) {
        float[][] values = new float[n][];
        for (int t = 0; t < n; t++) {
            values[t] = forwardOnly && t > 1 ? values[t - 2] : new float[length];
        }
        return values;
    }

    /** @param mask  [step, batch], or null */
    void beginForward(RecurrentWeights weights, float[] mask) {
        this.mask = mask;
        for (int k = 0; k < PEEPHOLES && kind.hasPeepholes(); k++) {
            weights.recurrent.getRepeated((GATES * size + k) * size, peephole[k], rows, size);
        }
    }

    /** z to h and the cell of step {@code t}. */
    void activate(int t) {
        float[] block = gate[BLOCK_INPUT][t];
        float[] forget = gate[FORGET][t];
        float[] output = gate[OUTPUT][t];
        float[] input = gate[INPUT][t];
        float[] before = cell[t];
        math.tanh(z[BLOCK_INPUT], block, length);
        math.sigmoid(z[FORGET], before, peephole[FORGET_PEEPHOLE], forget, length);
        math.sigmoid(z[INPUT], before, peephole[INPUT_PEEPHOLE], input, length);
        PointwiseMath.cell(forget, before, input, block, cell[t + 1], length);
        math.sigmoid(z[OUTPUT], cell[t + 1], peephole[OUTPUT_PEEPHOLE], output, length);
        math.hidden(cell[t + 1], output, h, length);
        if (mask != null) {
            maskRows(h, t);
            maskRows(cell[t + 1], t);
        }
    }

    void beginBackward() {
        Arrays.fill(dCell, 0);
        for (float[] sum : peepholeSum) {
            Arrays.fill(sum, 0);
        }
    }

    /**
     * Replaces {@link #delta} by the gradients of z at step {@code t}. Steps are taken from the last to the first.
     *
     * @param exactMask  true for the gradient of the masked forward pass; false for what stock DL4J computes, which
     *                   passes the memory cell's gradient through masked steps
     */
    void differentiate(int t, boolean exactMask) {
        float[] block = gate[BLOCK_INPUT][t];
        float[] forget = gate[FORGET][t];
        float[] output = gate[OUTPUT][t];
        float[] input = gate[INPUT][t];
        float[] before = cell[t];
        if (mask != null && exactMask) {
            maskRows(error, t);
            maskRows(dCell, t);
        }
        math.tanh(cell[t + 1], cellTanh, length);
        float[] unmaskedTanh = cellTanh;
        if (mask != null && !exactMask) {
            // Stock takes the slope of tanh at the masked cell, and its value at the cell before the mask.
            unmaskedTanh = new float[length];
            PointwiseMath.cell(forget, before, input, block, unmaskedTanh, length);
            math.tanh(unmaskedTanh, unmaskedTanh, length);
        }
        PointwiseMath.outputGateBackward(
                error, output, unmaskedTanh, cellTanh, peephole[OUTPUT_PEEPHOLE], delta[OUTPUT], dCell, length);
        if (cellPenalty > 0) {
            PointwiseMath.penalize(cell[t + 1], LARGEST_CELL, cellPenalty, dCell, length);
        }
        PointwiseMath.gateBackward(dCell, before, forget, delta[FORGET], length);
        PointwiseMath.gateBackward(dCell, block, input, delta[INPUT], length);
        PointwiseMath.blockInputBackward(dCell, input, block, delta[BLOCK_INPUT], length);
        if (mask != null && !exactMask && kind.stockMasksGradient()) {
            for (float[] d : delta) {
                maskRows(d, t);
            }
        }
        PointwiseMath.cellBackward(dCell, forget, delta[FORGET], peephole[FORGET_PEEPHOLE],
                delta[INPUT], peephole[INPUT_PEEPHOLE], length);
        if (kind.hasPeepholes()) {
            PointwiseMath.addProduct(delta[FORGET], before, peepholeSum[FORGET_PEEPHOLE], length);
            PointwiseMath.addProduct(delta[OUTPUT], cell[t + 1], peepholeSum[OUTPUT_PEEPHOLE], length);
            PointwiseMath.addProduct(delta[INPUT], before, peepholeSum[INPUT_PEEPHOLE], length);
        }
    }

    private void maskRows(float[] values, int t) {
        for (int b = 0; b < rows; b++) {
            float m = mask[t * batch + from + b];
            for (int j = b * size; j < (b + 1) * size; j++) {
                values[j] *= m;
            }
        }
    }
}
