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

import java.lang.ref.Reference;
import java.util.Arrays;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.concurrency.AffinityManager;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * One recurrent layer that takes one sample at a time: {@link LstmEquations} for a batch of 1, forward only. It holds
 * the state, and a copy of the parameters.
 *
 * <p>Of each sample, the sums over the inputs come first, {@link #beginOneHot} or {@link #beginDense}, which need no
 * state and so may run blocks ahead; {@link #advance} adds those over the units.
 */
final class SampleLayer {
    private static final PointwiseMath MATH = PointwiseMath.RATIONAL;
    /** Order of the gates in our columns: those that do not wait for the new memory cell first. */
    private static final int[] COLUMNS = {BLOCK_INPUT, FORGET, INPUT, OUTPUT};
    private static final int EARLY = 3;

    private final int size;
    private final boolean hasPeepholes;
    private final float[][] inputWeights; // [input][gate and unit]
    private final float[][] recurrentWeights; // [unit][gate and unit]
    private final float[] bias;
    private final SmallProduct small; // null for a large layer
    private float[] hidden; // that of the last sample
    private final float[] cell;
    private final float[] cells; // the memory cell beside each column of the early gates
    private final float[] earlyPeepholes;
    private final float[] outputPeephole;
    // A gate is slope tanh(slope z) + shift: 1 and 0 for tanh, 1/2 and 1/2 for the sigmoid.
    private final float[] slope;
    private final float[] shift;
    private final float[] activated; // [gate and unit]
    private final float[][] gate; // [our column][unit]

    /** @throws IllegalArgumentException for a layer of another cell or with other activations */
    SampleLayer(Layer layer) {
        org.deeplearning4j.nn.conf.layers.Layer conf = layer.conf().getLayer();
        Cell kind = Cells.of(conf);
        if (kind == null || !Cell.hasTanhAndSigmoid((AbstractLSTM) conf)) {
            throw new IllegalArgumentException("layer " + layer.getIndex() + " is none of " + Cells.ALL
                    + " with tanh and sigmoid gates");
        }
        float[][] recurrent = rows(layer.getParam("RW"));
        size = recurrent.length;
        hasPeepholes = kind.hasPeepholes();
        inputWeights = inOurOrder(rows(layer.getParam("W")));
        recurrentWeights = inOurOrder(recurrent);
        bias = inOurOrder(new float[][] {vector(layer.getParam("b"))})[0];
        small = SmallProduct.suits(size, inputs()) ? new SmallProduct(recurrentWeights, inputWeights, bias) : null;
        cell = new float[size];
        cells = new float[EARLY * size];
        earlyPeepholes = new float[EARLY * size];
        outputPeephole = new float[size];
        for (int i = 0; i < size && hasPeepholes; i++) {
            float[] own = Arrays.copyOfRange(recurrent[i], GATES * size, GATES * size + PEEPHOLES);
            earlyPeepholes[size + i] = own[FORGET_PEEPHOLE];
            earlyPeepholes[2 * size + i] = own[INPUT_PEEPHOLE];
            outputPeephole[i] = own[OUTPUT_PEEPHOLE];
        }
        slope = new float[GATES * size];
        shift = new float[GATES * size];
        Arrays.fill(slope, 0, size, 1f);
        Arrays.fill(slope, size, slope.length, 0.5f);
        Arrays.fill(shift, size, shift.length, 0.5f);
        activated = new float[GATES * size];
        gate = new float[GATES][size];
        reset();
    }

    /** The gate columns of DL4J's rows, in the order of {@link #COLUMNS}. */
    private float[][] inOurOrder(float[][] rows) {
        float[][] ours = new float[rows.length][GATES * size];
        for (int i = 0; i < rows.length; i++) {
            for (int g = 0; g < GATES; g++) {
                System.arraycopy(rows[i], COLUMNS[g] * size, ours[i], g * size, size);
            }
        }
        return ours;
    }

    int inputs() {
        return inputWeights.length;
    }

    int size() {
        return size;
    }

    /** Number of sums of a sample. */
    int columns() {
        return bias.length;
    }

    /** Clears the state. */
    void reset() {
        hidden = new float[size];
        Arrays.fill(cell, 0);
        Arrays.fill(cells, 0);
    }

    /** Sets {@code z} to the sums over a one-hot input, or in a small layer to the input. */
    void beginOneHot(int oneHotClass, float[] z) {
        if (small != null) {
            Arrays.fill(z, 0, inputs(), 0f);
            z[oneHotClass] = 1f;
            return;
        }
        float[] row = inputWeights[oneHotClass];
        for (int j = 0; j < z.length; j++) {
            z[j] = bias[j] + row[j];
        }
    }

    /** Sets some rows of {@code z} to the sums over the inputs in the same rows of {@code x}, or to the inputs likewise. */
    void beginDense(float[][] x, float[][] z, int from, int to) {
        if (small != null) {
            for (int t = from; t < to; t++) {
                System.arraycopy(x[t], 0, z[t], 0, inputs());
            }
            return;
        }
        for (int t = from; t < to; t++) {
            System.arraycopy(bias, 0, z[t], 0, bias.length);
        }
        SampleProduct.add(x, inputWeights, z, from, to);
    }

    /**
     * Takes one sample.
     *
     * @param z  what was begun; overwritten
     * @param h  receives the output; to be left unchanged until the next sample was taken
     */
    void advance(float[] z, float[] h) {
        if (small != null) {
            small.put(hidden, z, z);
        } else {
            SampleProduct.add(hidden, recurrentWeights, z);
        }
        float[] output = gate[EARLY];
        if (hasPeepholes) {
            PointwiseMath.gates(z, cells, earlyPeepholes, slope, shift, activated, EARLY * size);
        } else {
            PointwiseMath.gates(z, slope, shift, activated, GATES * size);
            System.arraycopy(activated, EARLY * size, output, 0, size);
        }
        for (int g = 0; g < EARLY; g++) {
            System.arraycopy(activated, g * size, gate[g], 0, size);
        }
        PointwiseMath.cell(gate[1], cell, gate[2], gate[0], cell, size);
        if (hasPeepholes) {
            System.arraycopy(cell, 0, cells, size, size);
            System.arraycopy(cell, 0, cells, 2 * size, size);
            System.arraycopy(z, EARLY * size, output, 0, size);
            MATH.sigmoid(output, cell, outputPeephole, output, size);
        }
        MATH.hidden(cell, output, h, size);
        hidden = h;
    }

    /** A copy of all elements, in 'c' order. */
    static float[] vector(INDArray a) {
        float[] values = new float[(int) a.length()];
        INDArray copy = a.castTo(DataType.FLOAT).dup('c');
        Nd4j.getAffinityManager().ensureLocation(copy, AffinityManager.Location.HOST);
        // ND4J's own methods read element by element, which takes a tenth of a second for a new Java and 2 x 200 units.
        copy.data().asNioFloat().get(values);
        Reference.reachabilityFence(copy);
        return values;
    }

    /** A copy of a matrix, row by row. */
    static float[][] rows(INDArray a) {
        float[] all = vector(a);
        int columns = (int) a.size(1);
        float[][] rows = new float[(int) a.size(0)][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Arrays.copyOfRange(all, i * columns, (i + 1) * columns);
        }
        return rows;
    }
}
