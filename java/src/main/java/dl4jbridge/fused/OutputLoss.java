package dl4jbridge.fused;

import java.nio.FloatBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * An output layer's loss and all gradients of it, a stretch of time after the other: one product to what the
 * activation gets, the loss and its gradient there, and one product back.
 */
abstract class OutputLoss {
    private Memory errors;
    private Memory inputScratch;
    private double loss;
    private double accuracy = Double.NaN;

    /** Takes the labels of the next backward pass; false if they are none that this loss is made for. */
    abstract boolean read(INDArray labels);

    /** What one thread does, or the only one where the samples of a recording hang together. */
    abstract Stretch stretch(float[] bias);

    /** True if the loss at a time step depends on other steps. */
    boolean looksAround() {
        return false;
    }

    /** Sum over all samples of the last backward pass. */
    final double loss() {
        return loss;
    }

    /** Share of exact classes in the last backward pass, NaN where there are none. */
    final double accuracy() {
        return accuracy;
    }

    /**
     * @param x              [batch, size, steps]
     * @param inputGradient  'c' array [steps, batch, size] to fill
     */
    final void backward(INDArray x, INDArray weight, INDArray bias, INDArray weightGradient, INDArray biasGradient,
            INDArray inputGradient) {
        int batch = (int) x.size(0);
        int size = (int) x.size(1);
        int steps = (int) x.size(2);
        int outputs = (int) bias.length();
        int samples = steps * batch;
        errors = Memory.atLeast(errors, (long) samples * outputs);
        inputScratch = Sequence.scratch(x, inputScratch);
        Memory rows = Sequence.rows(x, inputScratch);
        Memory w = Memory.of(weight); // 'f' [size, outputs]: [outputs, size] row after row
        Memory inputErrors = Memory.of(inputGradient);
        float[] b = bias.reshape(-1).toFloatVector();
        int threads = looksAround() ? 1 : Math.min(steps, Workers.threads());
        Stretch[] stretches = new Stretch[threads];
        Workers.run(threads, p -> {
            int first = Workers.border(steps, p, threads) * batch;
            int count = Workers.border(steps, p + 1, threads) * batch - first;
            long z = errors.at((long) first * outputs, (long) count * outputs);
            long in = rows.at((long) first * size, (long) count * size);
            Gemm.product(false, true, count, outputs, size, in, size, w.at(0, (long) outputs * size), size, 0f, z, outputs);
            stretches[p] = stretch(b);
            stretches[p].differentiate(errors.view(), batch, first, count);
            Gemm.product(false, false, count, size, outputs, z, outputs, w.at(0, (long) outputs * size), size, 0f,
                    inputErrors.at((long) first * size, (long) count * size), size);
        });
        Memory weightErrors = Memory.of(weightGradient);
        int parts = Math.min(outputs, Workers.threads());
        Workers.run(parts, p -> {
            int first = Workers.border(outputs, p, parts);
            int count = Workers.border(outputs, p + 1, parts) - first;
            Gemm.product(true, false, count, size, samples,
                    errors.at(first, (long) samples * outputs - first), outputs, rows.at(0, (long) samples * size), size,
                    0f, weightErrors.at((long) first * size, (long) count * size), size);
        });
        sum(stretches, samples, biasGradient);
        rows.keep();
        w.keep();
        inputErrors.keep();
        weightErrors.keep();
    }

    private void sum(Stretch[] stretches, int samples, INDArray biasGradient) {
        float[] biasSum = new float[(int) biasGradient.length()];
        loss = 0;
        double hits = 0;
        for (Stretch stretch : stretches) {
            loss += stretch.loss;
            hits += stretch.hits;
            PointwiseMath.add(stretch.biasSum, biasSum, biasSum.length);
        }
        accuracy = hits / samples;
        Memory to = Memory.of(biasGradient);
        to.view().put(biasSum);
        to.keep();
    }

    /** What one thread adds up. */
    abstract static class Stretch {
        final float[] bias;
        final float[] biasSum;
        double loss;
        double hits;

        Stretch(float[] bias) {
            this.bias = bias;
            this.biasSum = new float[bias.length];
        }

        /** Replaces what the activation gets, still without the bias, by the gradient of the loss there. */
        abstract void differentiate(FloatBuffer errors, int batch, int first, int count);
    }
}
