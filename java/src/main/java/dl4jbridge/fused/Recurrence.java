package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;
import static dl4jbridge.fused.Gates.PEEPHOLES;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * One recurrent layer over one segment, forward and backward: what DL4J's LSTMHelpers computes, without its small calls.
 *
 * <p>The batch is cut into one {@link Part} a thread. The parts keep the activations of the forward pass for the
 * backward pass, until the next forward pass.
 */
final class Recurrence {
    private final Cell cell;
    private final PointwiseMath math;
    private final OneHot oneHot = new OneHot();
    private final WeightLayout layout = new WeightLayout();
    private float cellPenalty;
    private boolean forwardOnly;
    private Shape shape;
    private Part[] parts = new Part[0];
    private Memory inputScratch;
    private Memory epsilonScratch;
    private int[] classes; // of a one-hot input, else null

    Recurrence(Cell cell, PointwiseMath math) {
        this.cell = cell;
        this.math = math;
    }

    /**
     * @param x        [batch, inputs, steps]
     * @param mask     [batch, steps] of 0 and 1, or null
     * @param h0,c0    [batch, size], or null for zeros
     * @param outputs  'c' array [steps, batch, size] to fill, or null
     */
    void forward(INDArray x, INDArray mask, INDArray h0, INDArray c0, RecurrentWeights weights, int size,
            INDArray outputs) {
        begin(x, h0, c0, size);
        float[] stepMask = mask == null ? null : floats(mask.castTo(x.dataType()).dup('f'));
        if (shape.manyRows) {
            Workers.run(GATES, gate -> layOut(weights, gate));
        }
        Memory copy = outputs == null ? null : Memory.of(outputs);
        Scratch[] scratch = Scratch.of(parts.length);
        Workers.run(parts.length, p -> parts[p].forward(
                weights, stepMask, copy == null ? null : parts[p].of(copy, size), scratch[p]));
        weights.keep();
        keepInput();
        if (copy != null) {
            copy.keep();
        }
    }

    /** Takes the input and the state of a forward pass. {@link #layOut} for each gate follows, then {@link #part}. */
    void begin(INDArray x, INDArray h0, INDArray c0, int size) {
        cut(new Shape((int) x.size(0), (int) x.size(1), (int) x.size(2), size));
        classes = shape.manyRows ? oneHot.read(x) : null;
        if (classes != null) {
            begin(part -> null, h0, c0);
            return;
        }
        inputScratch = Sequence.scratch(x, inputScratch);
        Memory input = Sequence.rows(x, inputScratch);
        begin(part -> parts[part].of(input, shape.inputs), h0, c0);
    }

    /** The same with the outputs of the layer below, part by part, as input; they may be computed later. */
    void begin(Recurrence below, INDArray h0, INDArray c0, int size) {
        cut(new Shape(below.shape.batch, below.shape.size, below.shape.steps, size));
        classes = null;
        begin(part -> below.parts[part].outputs(), h0, c0);
    }

    private void begin(Function<Integer, Rows> input, INDArray h0, INDArray c0) {
        layout.begin(shape, classes != null);
        float[] units = rows(h0);
        float[] cells = rows(c0);
        for (int p = 0; p < parts.length; p++) {
            parts[p].begin(input.apply(p), classes, units, cells);
        }
    }

    private void cut(Shape wanted) {
        int threads = Math.min(Workers.threads(), wanted.batch);
        if (wanted.equals(shape) && threads == parts.length) {
            return;
        }
        shape = wanted;
        parts = new Part[threads];
        for (int p = 0; p < threads; p++) {
            parts[p] = new Part(cell, math, cellPenalty, forwardOnly, shape, layout,
                    Workers.border(shape.batch, p, threads), Workers.border(shape.batch, p + 1, threads));
        }
    }

    /** To be called before the first forward pass. */
    void setCellPenalty(float weight) {
        cellPenalty = weight;
    }

    /** Keeps nothing for a backward pass. To be called before the first forward pass. */
    void setForwardOnly() {
        forwardOnly = true;
    }

    /** True if the products read what {@link #layOut} copies. */
    boolean hasManyRows() {
        return shape.manyRows;
    }

    /** Copies one gate's weights into the order in which the products read them. */
    void layOut(RecurrentWeights weights, int gate) {
        layout.put(weights, gate);
    }

    int parts() {
        return parts.length;
    }

    Part part(int part) {
        return parts[part];
    }

    int batch() {
        return shape.batch;
    }

    void keepInput() {
        for (Part part : parts) {
            part.keepInput();
        }
    }

    private static float[] floats(INDArray dense) {
        float[] values = new float[(int) dense.length()];
        Memory from = Memory.of(dense);
        from.view().get(values);
        from.keep();
        return values;
    }

    /** A state in 'c' order. */
    private float[] rows(INDArray state) {
        if (state == null) {
            return new float[shape.batch * shape.size];
        }
        boolean isRows = state.size(1) == 1 || state.stride(1) == 1;
        return floats(isRows && Memory.isDense(state) ? state : state.dup('c'));
    }

    /** The output of the last step, [batch, size], in a new array. */
    INDArray lastHidden() {
        return state(Part::getLastHidden);
    }

    /** The memory cell after the last step, [batch, size], in a new array. */
    INDArray lastCell() {
        return state(Part::getLastCell);
    }

    private INDArray state(BiConsumer<Part, FloatBuffer> get) {
        INDArray state = Nd4j.createUninitializedDetached(DataType.FLOAT, 'c', shape.batch, shape.size);
        Memory to = Memory.of(state);
        FloatBuffer view = to.view();
        for (Part part : parts) {
            get.accept(part, view);
        }
        to.keep();
        return state;
    }

    /**
     * Computes the gradients of the last forward pass.
     *
     * @param epsilon        [batch, size, steps], gradient of the outputs; not changed
     * @param inputGradient  'c' array [steps, batch, inputs] to fill, or null
     * @param exactMask      see {@link LstmEquations#differentiate}
     */
    void backward(INDArray epsilon, RecurrentWeights weights, RecurrentWeights gradients, INDArray inputGradient,
            boolean exactMask) {
        epsilonScratch = Sequence.scratch(epsilon, epsilonScratch);
        Memory errors = Sequence.rows(epsilon, epsilonScratch);
        Memory inputErrors = inputGradient == null ? null : Memory.of(inputGradient);
        if (inputGradient != null) {
            layout.putInput(weights);
        }
        Scratch[] scratch = Scratch.of(parts.length);
        Workers.run(parts.length, p -> {
            Part part = parts[p];
            part.backward(part.of(errors, shape.size), weights, gradients,
                    inputErrors == null ? null : part.of(inputErrors, shape.inputs), exactMask, scratch[p]);
        });
        Workers.run(GATES, gate -> sumParts(gate, gradients));
        errors.keep();
        weights.keep();
        gradients.keep();
        keepInput();
        if (inputErrors != null) {
            inputErrors.keep();
        }
    }

    /**
     * Adds up one gate's gradients over all parts, after their backward passes. Each of the first three gates takes one
     * of the peepholes along.
     *
     * @return the sum of the squares of these gradients
     */
    double sumParts(int gate, RecurrentWeights gradients) {
        int size = shape.size;
        double squares = sumMatrices(gate, Part::recurrentSum, shape.unitPitch, size, gradients.recurrent);
        SquareSum others = new SquareSum(size);
        if (classes != null) {
            sumClasses(gate, gradients, others);
        } else {
            squares += sumMatrices(gate, Part::inputSum, shape.inputPitch, shape.inputs, gradients.input);
            sumUnits((part, units) -> part.addBias(gate, units), gradients.bias, (long) gate * size, others);
        }
        if (gate < PEEPHOLES && cell.hasPeepholes()) {
            sumUnits((part, units) -> part.addPeephole(gate, units), gradients.recurrent,
                    (long) (GATES * size + gate) * size, others);
        }
        return squares + others.total();
    }

    private double sumMatrices(int gate, Function<Part, Memory> sums, int pitch, int columns, Memory gradient) {
        Memory[] terms = Arrays.stream(parts).map(sums).toArray(Memory[]::new);
        return Memory.sumRows(terms, pitch, gate * shape.size, shape.size, columns, gradient);
    }

    /** The gradient of W and of the bias for a one-hot input: the sum of a gate's deltas at each class. */
    private void sumClasses(int gate, RecurrentWeights gradients, SquareSum squares) {
        int inputs = shape.inputs;
        int size = shape.size;
        int n = inputs * size;
        Transposition.Scratch scratch = layout.scratch(gate).atLeast(n);
        float[] bias = new float[size];
        for (int k = 0; k < inputs; k++) {
            float[] sum = parts[0].classSum(gate, k);
            for (int p = 1; p < parts.length; p++) {
                PointwiseMath.add(parts[p].classSum(gate, k), sum, size);
            }
            PointwiseMath.add(sum, bias, size);
            squares.add(sum, size);
            System.arraycopy(sum, 0, scratch.from, k * size, size);
        }
        Transposition.transpose(scratch.from, inputs, size, scratch.to, 0, inputs);
        Memory.put(gradients.input.view(), (long) gate * n, scratch.to, n);
        Memory.put(gradients.bias.view(), (long) gate * size, bias, size);
        squares.add(bias, size);
    }

    private void sumUnits(BiConsumer<Part, float[]> add, Memory gradient, long at, SquareSum squares) {
        float[] units = new float[shape.size];
        for (Part part : parts) {
            add.accept(part, units);
        }
        Memory.put(gradient.view(), at, units, shape.size);
        squares.add(units, shape.size);
    }
}
