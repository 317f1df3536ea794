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
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * One recurrent layer that takes one sample at a time: {@link LstmEquations} for a batch of 1, forward only. It holds
 * the state, and a copy of the parameters.
 */
public final class SampleLayer {
    private static final PointwiseMath MATH = PointwiseMath.RATIONAL;

    private final int size;
    private final float[][] inputWeights; // [input][gate and unit]
    private final float[][] recurrentWeights; // [unit][gate and unit]
    private final float[] bias;
    private final float[][] peephole; // zero in a cell without peepholes
    private final float[] hidden;
    private final float[] cell;
    private final float[] z; // of all gates
    private final float[][] gate;

    /** @throws IllegalArgumentException for a layer of another cell or with other activations */
    public SampleLayer(Layer layer) {
        org.deeplearning4j.nn.conf.layers.Layer conf = layer.conf().getLayer();
        Cell kind = Cells.of(conf);
        if (kind == null || !Cell.hasTanhAndSigmoid((AbstractLSTM) conf)) {
            throw new IllegalArgumentException("layer " + layer.getIndex() + " is none of " + Cells.ALL
                    + " with tanh and sigmoid gates");
        }
        float[][] recurrent = rows(layer.getParam("RW"));
        size = recurrent.length;
        inputWeights = rows(layer.getParam("W"));
        bias = vector(layer.getParam("b"));
        recurrentWeights = new float[size][];
        peephole = new float[PEEPHOLES][size];
        for (int i = 0; i < size; i++) {
            recurrentWeights[i] = Arrays.copyOf(recurrent[i], GATES * size);
            for (int k = 0; k < PEEPHOLES && kind.hasPeepholes(); k++) {
                peephole[k][i] = recurrent[i][GATES * size + k];
            }
        }
        hidden = new float[size];
        cell = new float[size];
        z = new float[GATES * size];
        gate = new float[GATES][size];
    }

    int inputs() {
        return inputWeights.length;
    }

    /** Clears the state. */
    public void reset() {
        Arrays.fill(hidden, 0);
        Arrays.fill(cell, 0);
    }

    /** The output of the last sample, [size]; the next sample overwrites it. */
    public float[] output() {
        return hidden;
    }

    /** Takes a one-hot input. */
    public void advanceOneHot(int oneHotClass) {
        float[] row = inputWeights[oneHotClass];
        for (int j = 0; j < z.length; j++) {
            z[j] = bias[j] + row[j];
        }
        advance();
    }

    /** Takes the output of the layer below, or any other input of this layer's size. */
    public void advanceDense(float[] x) {
        System.arraycopy(bias, 0, z, 0, z.length);
        addProduct(x, inputWeights, z);
        advance();
    }

    private void advance() {
        addProduct(hidden, recurrentWeights, z);
        for (int g = 0; g < GATES; g++) {
            System.arraycopy(z, g * size, gate[g], 0, size);
        }
        float[] block = gate[BLOCK_INPUT];
        float[] forget = gate[FORGET];
        float[] output = gate[OUTPUT];
        float[] input = gate[INPUT];
        MATH.tanh(block, block, size);
        MATH.sigmoid(forget, cell, peephole[FORGET_PEEPHOLE], forget, size);
        MATH.sigmoid(input, cell, peephole[INPUT_PEEPHOLE], input, size);
        PointwiseMath.cell(forget, cell, input, block, cell, size);
        MATH.sigmoid(output, cell, peephole[OUTPUT_PEEPHOLE], output, size);
        MATH.hidden(cell, output, hidden, size);
    }

    /** z += x W; four rows a pass, so that z is read and written a quarter as often. */
    public static void addProduct(float[] x, float[][] w, float[] z) {
        int i = 0;
        for (; i + 3 < x.length; i += 4) {
            addFourRows(x[i], w[i], x[i + 1], w[i + 1], x[i + 2], w[i + 2], x[i + 3], w[i + 3], z);
        }
        for (; i < x.length; i++) {
            addFourRows(x[i], w[i], 0, w[i], 0, w[i], 0, w[i], z);
        }
    }

    /** Each row is an array of its own, since HotSpot does not vectorise loops over rows within one array. */
    private static void addFourRows(
            float a, float[] u, float b, float[] v, float c, float[] w, float d, float[] x, float[] z) {
        for (int j = 0; j < z.length; j++) {
            z[j] = Math.fma(a, u[j], Math.fma(b, v[j], Math.fma(c, w[j], Math.fma(d, x[j], z[j]))));
        }
    }

    /** A copy of all elements, in 'c' order. */
    public static float[] vector(INDArray a) {
        return a.dup('c').reshape(-1).toFloatVector();
    }

    /** A copy of a matrix, row by row. */
    public static float[][] rows(INDArray a) {
        return a.dup('c').toFloatMatrix();
    }
}
