package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Finds which class is 1 at each time step of a one-hot tensor, by one look at each of its elements. */
final class OneHot {
    private int[] index = new int[0];

    /**
     * @param array [batch, classes, steps], FLOAT, 'f' order; anything else is not taken for one-hot
     * @return class of (step, example) at [step * batch + example], valid until the next call; null if not one-hot
     */
    int[] read(INDArray array) {
        if (array.rank() != 3 || array.dataType() != org.nd4j.linalg.api.buffer.DataType.FLOAT
                || !Sequence.isTimeLast(array)) {
            return null;
        }
        int batch = (int) array.size(0);
        int classes = (int) array.size(1);
        int steps = (int) array.size(2);
        if (index.length < batch * steps) {
            index = new int[batch * steps];
        }
        Memory memory = Memory.of(array);
        AtomicBoolean oneHot = new AtomicBoolean(true);
        int chunks = Math.min(steps, 2 * Workers.threads());
        Workers.run(chunks, chunk -> {
            float[] step = new float[batch * classes];
            FloatBuffer view = memory.view();
            for (int t = (int) ((long) chunk * steps / chunks); t < (chunk + 1L) * steps / chunks && oneHot.get(); t++) {
                view.position(t * step.length);
                view.get(step);
                if (!readStep(step, batch, classes, t * batch)) {
                    oneHot.set(false);
                }
            }
        });
        memory.keep();
        return oneHot.get() ? index : null;
    }

    private boolean readStep(float[] step, int batch, int classes, int at) {
        Arrays.fill(index, at, at + batch, -1);
        for (int i = 0; i < step.length; i++) {
            if (step[i] != 0) {
                int row = at + i % batch;
                if (step[i] != 1 || index[row] >= 0) {
                    return false;
                }
                index[row] = i / batch;
            }
        }
        for (int row = at; row < at + batch; row++) {
            if (index[row] < 0) {
                return false;
            }
        }
        return true;
    }
}
