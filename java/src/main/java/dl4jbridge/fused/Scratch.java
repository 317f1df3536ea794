package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

import java.util.Arrays;

/** Working memory of one {@link Part}; the layers of a network use the same one after the other. */
final class Scratch {
    private static final ThreadLocal<Scratch[]> LOCAL = ThreadLocal.withInitial(() -> new Scratch[0]);

    Memory gates; // [step of a chunk, row of the part, gate and unit]: the sums that enter the activations
    Memory deltas; // [gate, step of a chunk, row of the part, unit]: their gradients
    Memory input; // [step of a chunk, row of the part, input]
    Memory inputErrors; // their gradients
    Memory oneStep; // [row of the part, unit]

    private Scratch() {}

    /**
     * The calling thread's own, one for each part, for all threads that help it: networks that are trained by different
     * threads at the same time share none.
     */
    static Scratch[] of(int parts) {
        Scratch[] held = LOCAL.get();
        if (held.length < parts) {
            int before = held.length;
            held = Arrays.copyOf(held, parts);
            for (int p = before; p < held.length; p++) {
                held[p] = new Scratch();
            }
            LOCAL.set(held);
        }
        return held;
    }

    /** Allocates what chunks of up to {@code steps} steps of {@code rows} rows need. */
    void allocate(int steps, int rows, Shape shape) {
        long samples = (long) steps * rows;
        gates = Memory.atLeast(gates, samples * shape.gatePitch);
        deltas = Memory.atLeast(deltas, GATES * samples * shape.size);
        input = Memory.atLeast(input, samples * shape.inputPitch);
        inputErrors = Memory.atLeast(inputErrors, samples * shape.inputPitch);
        oneStep = Memory.atLeast(oneStep, (long) rows * shape.unitPitch);
    }
}
