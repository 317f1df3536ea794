package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Some rows of the batch, taken through one recurrent layer by one thread: the matrix products around
 * {@link LstmEquations}, with the gradient of the weights that these rows contribute.
 *
 * <p>Time is cut into chunks, so that the products over all steps of a chunk find its data in the cache.
 */
final class Part {
    /**
     * Largest weight gradient, in floats, that stays in the second-level cache beside the data of a chunk, each of which
     * reads and writes it. Larger layers take the whole segment as one chunk.
     */
    private static final int CACHED_GRADIENT = 220_000;

    private final Shape shape;
    private final WeightLayout layout;
    private final LstmEquations equations;
    private final int from;
    private final int to;
    private final int rows;
    private final int size;
    private final int steps;
    private final int length; // of a step
    private final int chunks; // of the backward pass
    private final int longestChunk;
    private final int forwardChunks;
    private final Memory hidden; // [1 + step, row, unit]: the first is the state before the segment
    private Rows input; // null if it is one-hot
    private int[] classes; // of the one-hot input at [step * batch + example], or null
    private Memory errors; // see outputErrors
    private Memory recurrentSum; // [gate and unit, unitPitch]: gradient of RW
    private Memory inputSum; // [gate and unit, inputPitch]: gradient of W
    private float[][][] classSums = new float[GATES][0][]; // [gate][class][unit]: gradient of W for a one-hot input
    private final float[] row; // HotSpot vectorises only loops that begin at the start of every array
    private final float[][] bias; // the same for each row
    private final float[][] biasSum;

    Part(Cell cell, PointwiseMath math, float cellPenalty, boolean forwardOnly, Shape shape, WeightLayout layout,
            int from, int to) {
        this.shape = shape;
        this.layout = layout;
        this.from = from;
        this.to = to;
        rows = to - from;
        size = shape.size;
        steps = shape.steps;
        length = rows * size;
        equations = new LstmEquations(cell, math, cellPenalty, forwardOnly, shape, from, to);
        boolean inChunks = Gemm.multipliesUnpacked && GATES * size * size <= CACHED_GRADIENT;
        chunks = inChunks ? Gemm.chunks(steps, rows) : 1;
        longestChunk = Gemm.longest(steps, chunks);
        // A chunk of the forward pass has one product only, with a wide result.
        forwardChunks = inChunks ? Gemm.chunks(steps, 2 * rows) : 1;
        hidden = Memory.allocate((steps + 1L) * rows * shape.unitPitch);
        row = new float[size];
        bias = new float[GATES][length];
        biasSum = new float[GATES][length];
    }

    /** This part's rows of an array of [steps, batch, width]. */
    Rows of(Memory sequence, int width) {
        return Rows.of(sequence, shape.batch, width, from, to);
    }

    /**
     * Takes the input and the state before the segment.
     *
     * @param input    null with {@code classes}
     * @param classes  of a one-hot input at [step * batch + example], else null
     * @param h0,c0    [batch, size] of the whole batch
     */
    void begin(Rows input, int[] classes, float[] h0, float[] c0) {
        this.input = input;
        this.classes = classes;
        System.arraycopy(h0, from * size, equations.h, 0, length);
        Memory.putRows(hidden.view(), 0, shape.unitPitch, equations.h, rows, size);
        System.arraycopy(c0, from * size, equations.cell[0], 0, length);
    }

    /** The outputs of the forward pass, [steps, rows, size]. */
    Rows outputs() {
        return Rows.packed(hidden, (long) rows * shape.unitPitch, rows, size, shape.unitPitch);
    }

    /** Memory for the gradient of {@link #outputs}, in the same layout. */
    Rows outputErrors() {
        errors = Memory.atLeast(errors, (long) steps * rows * shape.unitPitch);
        return Rows.packed(errors, 0, rows, size, shape.unitPitch);
    }

    /** Writes this part's rows of the last output into [batch, size]. */
    void getLastHidden(FloatBuffer into) {
        outputs().get(steps - 1, equations.h);
        Memory.put(into, (long) from * size, equations.h, length);
    }

    /** Writes this part's rows of the last memory cell to the buffer's position. */
    void getLastCell(FloatBuffer into) {
        into.put(equations.cell[steps], 0, length);
    }

    void keepInput() {
        if (input != null) {
            input.keep();
        }
    }

    /**
     * @param mask  [step, batch] of the whole batch, or null
     * @param copy  receives the outputs too, or null
     */
    void forward(RecurrentWeights weights, float[] mask, Rows copy, Scratch scratch) {
        scratch.allocate(longestChunk, rows, shape);
        FloatBuffer gateView = scratch.gates.view();
        Rows outputs = outputs();
        equations.beginForward(weights, mask);
        for (int g = 0; g < GATES; g++) {
            weights.bias.getRepeated(g * size, bias[g], rows, size);
        }
        float[][] z = equations.z;
        int first = 0; // of a chunk
        int chunk = 0;
        for (int t = 0; t < steps; t++) {
            if (classes != null) {
                first = t;
                gatherInputRows(t, gateView);
            } else if (t == Workers.border(steps, chunk, forwardChunks)) {
                first = t;
                chunk++;
                multiplyInput(t, Workers.border(steps, chunk, forwardChunks) - t, weights, scratch);
            }
            int inChunk = t - first;
            layout.multiplyRecurrent(
                    rows, hiddenAddress(t, 1), weights, gateAddress(scratch, inChunk, 1), t % 2 == 1);
            for (int g = 0; g < GATES; g++) {
                Memory.getRows(gateView, gateOffset(inChunk) + g * size, shape.gatePitch, z[g], 0, rows, size);
                if (classes == null) {
                    PointwiseMath.add(bias[g], z[g], length);
                }
            }
            equations.activate(t);
            outputs.put(t, equations.h);
            if (copy != null) {
                copy.put(t, equations.h);
            }
        }
    }

    /** Gathers the rows of W that a one-hot input selects in a step, with the bias. */
    private void gatherInputRows(int t, FloatBuffer gateView) {
        gateView.position(0);
        for (int b = 0; b < rows; b++) {
            layout.getInputRow(classes[t * shape.batch + from + b], gateView);
        }
    }

    private void multiplyInput(int first, int count, RecurrentWeights weights, Scratch scratch) {
        long x = input.gathered(first, count, shape.inputPitch, scratch.input);
        layout.multiplyInput(count * rows, x, weights, gateAddress(scratch, 0, count));
    }

    /** Offset of a step of a chunk among the gates. */
    private long gateOffset(int step) {
        return (long) step * rows * shape.gatePitch;
    }

    private long gateAddress(Scratch scratch, int step, int count) {
        return scratch.gates.at(gateOffset(step), gateOffset(count));
    }

    private long deltaOffset(int gate, int step) {
        return ((long) gate * longestChunk + step) * length;
    }

    private long deltaAddress(Scratch scratch, int gate, int step, int count) {
        return scratch.deltas.at(deltaOffset(gate, step), (long) count * length);
    }

    /** Address of the outputs of {@code count} steps, beginning with the one before {@code step}. */
    private long hiddenAddress(int step, int count) {
        long n = (long) rows * shape.unitPitch;
        return hidden.at(step * n, count * n);
    }

    /**
     * @param errors       gradient of the outputs
     * @param gradients    the first part adds up in them where that needs no copy; {@link Recurrence#sumParts} completes them
     * @param inputErrors  receives the gradient of the input, or null
     * @param exactMask    see {@link LstmEquations#differentiate}
     */
    void backward(Rows errors, RecurrentWeights weights, RecurrentWeights gradients, Rows inputErrors,
            boolean exactMask, Scratch scratch) {
        scratch.allocate(longestChunk, rows, shape);
        clearSums(gradients);
        equations.beginBackward();
        float[] error = equations.error;
        FloatBuffer deltaView = scratch.deltas.view();
        Rows later = Rows.packed(scratch.oneStep, 0, rows, size, shape.unitPitch);
        long laterAddress = scratch.oneStep.at(0, (long) rows * shape.unitPitch);
        for (int chunk = chunks - 1; chunk >= 0; chunk--) {
            int first = Workers.border(steps, chunk, chunks);
            int count = Workers.border(steps, chunk + 1, chunks) - first;
            for (int t = first + count - 1; t >= first; t--) {
                errors.get(t, error);
                if (t < steps - 1) {
                    later.get(0, equations.h);
                    PointwiseMath.add(equations.h, error, length);
                }
                equations.differentiate(t, exactMask);
                sumDeltas(t);
                for (int g = 0; g < GATES; g++) {
                    Memory.put(deltaView, deltaOffset(g, t - first), equations.delta[g], length);
                }
                boolean fromLast = t % 2 == 1;
                for (int i = 0; i < GATES && t > 0; i++) {
                    int g = fromLast ? GATES - 1 - i : i;
                    layout.multiplyBackToUnits(g, rows, deltaAddress(scratch, g, t - first, 1), weights,
                            i == 0 ? 0f : 1f, laterAddress, fromLast);
                }
            }
            multiplyOverTime(first, count, chunk == chunks - 1 ? 0f : 1f, weights, inputErrors, scratch);
        }
    }

    /** Adds the gradient of the weights over the steps of a chunk, and computes that of its input. */
    private void multiplyOverTime(int first, int count, float beta, RecurrentWeights weights, Rows inputErrors,
            Scratch scratch) {
        int unitPitch = shape.unitPitch;
        int inputPitch = shape.inputPitch;
        int samples = count * rows;
        long before = hiddenAddress(first, count);
        long x = classes == null ? input.gathered(first, count, inputPitch, scratch.input) : 0;
        long n = (long) size * unitPitch;
        long m = (long) size * inputPitch;
        // Gate by gate, so that the second and third product find its deltas in the cache.
        for (int g = 0; g < GATES; g++) {
            long deltas = deltaAddress(scratch, g, 0, count);
            Gemm.overRows(size, unitPitch, samples, deltas, size, before, unitPitch, beta,
                    recurrentSum.at(g * n, n), unitPitch);
            if (classes == null) {
                Gemm.overRows(size, inputPitch, samples, deltas, size, x, inputPitch, beta,
                        inputSum.at(g * m, m), inputPitch);
            }
            if (inputErrors != null) {
                layout.multiplyBackToInput(g, samples, deltas, weights, g == 0 ? 0f : 1f,
                        inputErrors.packed(first, count, inputPitch, scratch.inputErrors));
            }
        }
        if (inputErrors != null) {
            inputErrors.spread(first, count, inputPitch, scratch.inputErrors);
        }
    }

    private void clearSums(RecurrentWeights gradients) {
        clear(biasSum);
        recurrentSum = Memory.share(from == 0, recurrentSum, GATES * size, shape.unitPitch, size, gradients.recurrent);
        if (classes == null) {
            inputSum = Memory.share(from == 0, inputSum, GATES * size, shape.inputPitch, shape.inputs, gradients.input);
        } else if (classSums[0].length == 0) {
            classSums = new float[GATES][shape.inputs][size];
        } else {
            for (float[][] sums : classSums) {
                clear(sums);
            }
        }
    }

    private static void clear(float[][] sums) {
        for (float[] sum : sums) {
            Arrays.fill(sum, 0);
        }
    }

    private void sumDeltas(int t) {
        for (int g = 0; g < GATES; g++) {
            float[] delta = equations.delta[g];
            if (classes == null) {
                PointwiseMath.add(delta, biasSum[g], length);
                continue;
            }
            for (int b = 0; b < rows; b++) {
                System.arraycopy(delta, b * size, row, 0, size);
                PointwiseMath.add(row, classSums[g][classes[t * shape.batch + from + b]], size);
            }
        }
    }

    Memory recurrentSum() {
        return recurrentSum;
    }

    Memory inputSum() {
        return inputSum;
    }

    /** Gradient of a gate's row of W for one class of a one-hot input, and so of the bias: [unit]. */
    float[] classSum(int gate, int oneHotClass) {
        return classSums[gate][oneHotClass];
    }

    /** units += the gradient of a gate's bias. */
    void addBias(int gate, float[] units) {
        addRows(biasSum[gate], units);
    }

    /** units += the gradient of a peephole. */
    void addPeephole(int peephole, float[] units) {
        addRows(equations.peepholeSum[peephole], units);
    }

    private void addRows(float[] sums, float[] units) {
        float[] one = new float[size];
        for (int b = 0; b < rows; b++) {
            System.arraycopy(sums, b * size, one, 0, size);
            PointwiseMath.add(one, units, size);
        }
    }
}
